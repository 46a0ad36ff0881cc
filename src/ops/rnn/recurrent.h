// What LSTM, GRU and RNN share: slots, inference, activations, and the walk over directions, batch and time.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ir/infer.h"
#include "ops/reference.h"

namespace mote {

inline constexpr Slot kSequenceSlot = {"x", "[time, batch, features], or [batch, time, features] for layout 1"};
inline constexpr Slot kLengthsSlot = {"sequence_lens", "i32 [batch]: steps of each sequence", Arity::kOptional};
inline constexpr Slot kInitialHSlot = {"initial_h", "[directions, batch, hidden], batch first for layout 1; default 0",
                                       Arity::kOptional};
inline constexpr Slot kYSlot = {"y",
                                "every step's output: [time, directions, batch, hidden], or [batch, time, directions, "
                                "hidden]; 0 after a sequence's end",
                                Arity::kOptional};
inline constexpr Slot kYHSlot = {"y_h", "the last output: [directions, batch, hidden], batch first for layout 1",
                                 Arity::kOptional};

inline constexpr AttrSpec kAlphaAttr = {"activation_alpha", AttrKind::kFloats, "floats:[]",
                                        "for the activations that take one, in their order"};
inline constexpr AttrSpec kBetaAttr = {"activation_beta", AttrKind::kFloats, "floats:[]",
                                       "for the activations that take one, in their order"};
inline constexpr AttrSpec kActivationsAttr = {"activations", AttrKind::kStrings, "strings:[]",
                                              "names for every direction, see recurrent.cc; empty: the usual ones"};
inline constexpr AttrSpec kClipAttr = {"clip", AttrKind::kFloat, "",
                                       "sums that go into activations are kept in [-clip, clip]"};
inline constexpr AttrSpec kDirectionAttr = {"direction", AttrKind::kString, "\"forward\"",
                                            "forward, reverse or bidirectional"};
inline constexpr AttrSpec kHiddenAttr = {"hidden_size", AttrKind::kInt, "", "as the weights say"};
inline constexpr AttrSpec kLayoutAttr = {"layout", AttrKind::kInt, "0", "1: batch before time"};

using Activation = std::function<double(double)>;
// The activations of a node, `defaults` of them for each direction.
Result<std::vector<Activation>> activations_of(const Op& op, const Attrs& attrs,
                                               std::span<const std::string_view> defaults);

// Outputs y, y_h and (where `cell`) y_c of an op with inputs x, w, r, b, sequence_lens, initial_h, [initial_c, p] and
// `gates` gates.
Status infer_recurrent(InferContext& ctx, int gates, bool cell, std::span<const std::string_view> defaults);

// Operands of one run, widened. Rows of w and r are gates * hidden.
struct Recurrent {
  std::int64_t steps, batch, features, hidden, directions;
  std::int64_t gates;
  std::span<const double> x, w, r, b;  // b empty: zeros
  std::vector<Activation> activations;

  // w[d, row] . x, and its bias.
  double input_sum(ReferenceContext& ctx, std::int64_t d, std::int64_t row, const double* xt) const;
  // r[d, row] . h, and its bias.
  double hidden_sum(ReferenceContext& ctx, std::int64_t d, std::int64_t row, const double* h) const;
};

// One step of direction d: reads xt, updates h and c.
using Cell =
    std::function<void(const Recurrent&, std::int64_t d, const double* xt, std::span<double> h, std::span<double> c)>;
Status run_recurrent(ReferenceContext& ctx, int gates, bool cell, std::span<const std::string_view> defaults,
                     const Cell& step);

}  // namespace mote
