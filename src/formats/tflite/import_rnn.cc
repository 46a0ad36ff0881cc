// Recurrent layers. Their states are variables: what one run leaves is where the next begins.
#include <algorithm>
#include <cstdint>

#include "base/text.h"
#include "formats/tflite/compose.h"
#include "formats/tflite/sequence.h"

namespace mote::tflite {

// The state is the last `memory` products of each filter, the oldest first.
// Operands: x [batch, in], weights_feature [filters, in], weights_time [filters, memory], bias [units], state [batch,
// filters * memory], a variable. y[u] = activation(sum over the unit's `rank` filters of weights_time . state + bias).
Status import_svdf(NodeContext& n) {
  auto* o = n.options<fbs::SvdfOptions>(fbs::BuiltinOptions::SVDF);
  if (!o || o->rank() <= 0) return invalid("has no options, or no rank");
  Operands operands(n);
  Products product(n, operands, o->asymmetric_quantize_inputs());
  ValueId time = hybrid_weights(n, 2), state = n.in(4);
  if (n.failed()) return {};
  if (!n.has_rank(time) || n.rank(time) != 2 || !constant_extents(n.shape(time)) || state == kNone) {
    return invalid("its weights are no matrices, or it has no state");
  }
  std::int64_t filters = n.shape(time)[0].value(), memory = n.shape(time)[1].value(), rank = o->rank();
  if (filters % rank != 0) return invalid(concat("has ", filters, " filters, no multiple of its rank ", rank));
  ValueId newest = n.emit("unsqueeze", {product(n.in(0), 1), n.ints({2})});
  ValueId past = n.emit("reshape", {state, n.ints({-1, filters, memory})});
  past = n.emit("slice", {past, n.ints({1}), n.ints({memory}), n.ints({2})});
  ValueId next = n.emit("concat", {past, newest}, {{"axis", std::int64_t{2}}});
  ValueId sums = n.emit("reduce_sum", {n.emit("mul", {next, time}), n.ints({2})}, {{"keepdims", std::int64_t{0}}});
  if (rank > 1) {
    sums = n.emit("reduce_sum", {n.emit("reshape", {sums, n.ints({-1, filters / rank, rank})}), n.ints({2})},
                  {{"keepdims", std::int64_t{0}}});
  }
  if (n.has(3)) sums = n.emit("add", {sums, n.in(3)});
  n.output(0, n.activate(sums, o->activation()));
  n.update(4, n.emit("reshape", {next, n.ints({-1, filters * memory})}));
  return {};
}

namespace {

// Where the operands of one direction of a plain recurrence stand; -1: none.
struct RnnOperands {
  int w, r, b, h, aux_w;
};

// activation(W x + A aux + R h + b)
Stepped rnn_step(NodeContext& n, Operands& operands, Products& product, const RnnOperands& at,
                 fbs::Activation activation, const std::vector<ValueId>& x, ValueId h) {
  ValueId sum = n.emit("add", {product(x[0], at.w), product(h, at.r)});
  if (x.size() > 1 && x[1] != kNone) sum = n.emit("add", {sum, product(x[1], at.aux_w)});
  if (at.b >= 0 && operands.has(at.b)) sum = n.emit("add", {sum, operands.get(at.b)});
  ValueId y = n.activate(sum, activation);
  return {{y}, y};
}

struct RnnSettings {
  fbs::Activation activation;
  bool time_major, asymmetric;
  bool repeats = false;  // the sequence is run as many times as it is long
};

ValueId rnn_direction(NodeContext& n, const RnnOperands& at, const RnnSettings& s, std::vector<ValueId> x,
                      bool backwards) {
  Operands operands(n);
  Products product(n, operands, s.asymmetric);
  const ValueId length = s.repeats ? extent(n, x[0], 0) : kNone;
  if (s.repeats) {
    for (ValueId& v : x) {
      if (v != kNone) v = n.emit("tile", {v, joined(n, {length, n.ints({1, 1})})});
    }
  }
  Stepped out = over_time(n, operands, x, s.time_major ? 0 : 1, backwards, {n.in(at.h)},
                          [&](const std::vector<ValueId>& xt, const std::vector<ValueId>& states) {
                            return rnn_step(n, operands, product, at, s.activation, xt, states[0]);
                          });
  n.update(at.h, out.states[0]);
  if (!s.repeats) return out.y;
  const ValueId zero = n.ints({0});
  return backwards ? n.emit("slice", {out.y, zero, length, zero})
                   : n.emit("slice", {out.y, n.emit("neg", {length}), n.ints({INT64_MAX}), zero});
}

// One result that has both directions' features, or one for each.
void give_directions(NodeContext& n, ValueId forward, ValueId backward, bool merged) {
  if (merged) {
    n.output(0, n.emit("concat", {forward, backward}, {{"axis", std::int64_t{-1}}}));
  } else {
    n.output(0, forward);
    n.output(1, backward);
  }
}

}  // namespace

Status import_rnn(NodeContext& n) {
  auto* o = n.options<fbs::RnnOptions>(fbs::BuiltinOptions::RNN);
  if (!o) return invalid("has no options");
  Operands operands(n);
  Products product(n, operands, o->asymmetric_quantize_inputs());
  Stepped out = rnn_step(n, operands, product, {1, 2, 3, 4, -1}, o->activation(), {n.in(0)}, n.in(4));
  n.output(0, out.y);
  n.update(4, out.states[0]);
  return {};
}

Status import_unidirectional_sequence_rnn(NodeContext& n) {
  auto* o = n.options<fbs::SequenceRnnOptions>(fbs::BuiltinOptions::SequenceRNN);
  if (!o) return invalid("has no options");
  n.output(0, rnn_direction(n, {1, 2, 3, 4, -1}, {o->activation(), o->time_major(), o->asymmetric_quantize_inputs()},
                            {n.in(0)}, false));
  return {};
}

// The second input is one more operand of both directions where it has weights, else the backward direction's own
// input.
Status import_bidirectional_sequence_rnn(NodeContext& n) {
  auto* o = n.options<fbs::BidirectionalSequenceRnnOptions>(fbs::BuiltinOptions::BidirectionalSequenceRNN);
  if (!o) return invalid("has no options");
  RnnSettings s{o->activation(), o->time_major(), o->asymmetric_quantize_inputs()};
  // So LiteRT's kernel of quantized weights does it, where time comes first.
  s.repeats = s.time_major && n.is_hybrid(1);
  bool weighted = n.has(10);
  ValueId own = n.has(9) && !weighted ? n.in(9) : n.in(0), aux = weighted ? n.in(9) : kNone;
  ValueId forward = rnn_direction(n, {1, 2, 3, 4, 10}, s, {n.in(0), aux}, false);
  ValueId backward = rnn_direction(n, {5, 6, 7, 8, 11}, s, {own, aux}, true);
  give_directions(n, forward, backward, o->merge_outputs());
  return {};
}

namespace {

// Where the operands of one direction of an LSTM stand, those of the gates in the order input, forget, cell, output.
struct LstmOperands {
  int w, r, p, b, projection, projection_bias, h, c;
  int norm;  // -1: none
  int aux_w;
};

struct LstmSettings {
  fbs::Activation activation;
  double cell_clip, projection_clip;
  bool asymmetric;
};

class Lstm {
 public:
  Lstm(NodeContext& n, const LstmOperands& at, const LstmSettings& s)
      : n_(n), at_(at), s_(s), operands_(n), product_(n, operands_, s.asymmetric) {}

  Operands& operands() { return operands_; }

  Stepped step(const std::vector<ValueId>& x, ValueId h, ValueId c) {
    ValueId forget = n_.emit("sigmoid", {gate(kForget, x, h, c)});
    // Without weights of its own the input gate is what the forget gate leaves.
    ValueId in = n_.has(at_.w) ? n_.emit("sigmoid", {gate(kInput, x, h, c)})
                               : n_.emit("sub", {n_.scalar(1, DType::f32), forget});
    ValueId fresh = n_.activate(gate(kCell, x, h, c), s_.activation);
    ValueId next = n_.emit("add", {n_.emit("mul", {forget, c}), n_.emit("mul", {in, fresh})});
    next = clipped(next, s_.cell_clip);
    ValueId out = n_.emit("sigmoid", {gate(kOutput, x, h, next)});
    ValueId y = n_.emit("mul", {out, n_.activate(next, s_.activation)});
    if (n_.has(at_.projection)) {
      y = product_(y, at_.projection);
      if (n_.has(at_.projection_bias)) y = n_.emit("add", {y, operands_.get(at_.projection_bias)});
      y = clipped(y, s_.projection_clip);
    }
    return {{y, next}, y};
  }

  // The whole sequence; the states are updated.
  ValueId run(const std::vector<ValueId>& x, bool time_major, bool backwards) {
    Stepped out = over_time(n_, operands_, x, time_major ? 0 : 1, backwards, {n_.in(at_.h), n_.in(at_.c)},
                            [&](const std::vector<ValueId>& xt, const std::vector<ValueId>& states) {
                              return step(xt, states[0], states[1]);
                            });
    n_.update(at_.h, out.states[0]);
    n_.update(at_.c, out.states[1]);
    return out.y;
  }

 private:
  enum Gate { kInput, kForget, kCell, kOutput };

  ValueId clipped(ValueId v, double bound) {
    return bound > 0 ? n_.emit("clip", {v, n_.scalar(-bound, DType::f32), n_.scalar(bound, DType::f32)}) : v;
  }

  // W x + A aux + R h + P c + b; normalized before the bias where there are coefficients for that.
  ValueId gate(Gate g, const std::vector<ValueId>& x, ValueId h, ValueId c) {
    ValueId sum = n_.emit("add", {product_(x[0], at_.w + g), product_(h, at_.r + g)});
    if (x.size() > 1 && x[1] != kNone) sum = n_.emit("add", {sum, product_(x[1], at_.aux_w + g)});
    // The cell gate has no peephole.
    int peephole = at_.p + (g == kOutput ? 2 : g);
    if (g != kCell && n_.has(peephole)) {
      ValueId p = operands_.get(peephole);
      if (!is_float(n_.dtype(p))) p = hybrid_weights(n_, peephole, p);
      sum = n_.emit("add", {sum, n_.emit("mul", {c, p})});
    }
    ValueId b = n_.has(at_.b + g) ? operands_.get(at_.b + g) : kNone;
    if (at_.norm >= 0 && n_.has(at_.norm + g)) {
      return n_.emit("layer_normalization", {sum, operands_.get(at_.norm + g), b},
                     {{"axis", std::int64_t{-1}}, {"epsilon", 1e-8}});
    }
    return b == kNone ? sum : n_.emit("add", {sum, b});
  }

  NodeContext& n_;
  LstmOperands at_;
  LstmSettings s_;
  Operands operands_;
  Products product_;
};

constexpr LstmOperands kLstm = {1, 5, 9, 12, 16, 17, 18, 19, 20, -1};

}  // namespace

namespace {

// The basic kernel: operands x, h, weights [4 * cells, in + cells] of the gates input, cell, forget, output, bias, c;
// results h, c, and two that are of the kernel's own work: [x, h], and the gates before their functions.
Status import_basic_lstm(NodeContext& n, const fbs::LstmOptions& o) {
  ValueId w = n.in(2);
  if (n.failed() || !n.has_rank(w) || n.rank(w) != 2 || !n.shape(w)[0].is_const() || n.shape(w)[0].value() % 4 != 0) {
    return n.failed() ? Status() : invalid("its weights are no matrix for four gates");
  }
  ValueId both = n.emit("concat", {n.in(0), n.in(1)}, {{"axis", std::int64_t{-1}}});
  ValueId gates = n.emit("add", {n.emit("matmul", {both, n.transpose(w, {1, 0})}), n.in(3)});
  std::vector<ValueId> g =
      n.emit_multi("split", {gates}, 4, {{"axis", std::int64_t{-1}}, {"num_outputs", std::int64_t{4}}});
  ValueId kept = n.emit("mul", {n.emit("sigmoid", {g[2]}), n.in(4)});
  ValueId fresh = n.emit("mul", {n.emit("sigmoid", {g[0]}), n.emit("tanh", {g[1]})});
  ValueId c = n.emit("add", {kept, fresh});
  ValueId h = n.emit("mul", {n.emit("sigmoid", {g[3]}), n.emit("tanh", {c})});
  if (o.activation() != fbs::Activation::TANH)
    n.unsupported("LSTM of the basic kernel with another activation than TANH");
  const ValueId results[] = {h, c, both, gates};
  for (int i = 0; i < 4; ++i) n.output(i, results[i]);
  // Operands that are variables keep what the results say.
  if (n.is_variable(1)) n.update(1, h);
  if (n.is_variable(4)) n.update(4, c);
  return {};
}

}  // namespace

// x [batch, in]: one step. The basic kernel has one matrix for all gates and both operands.
Status import_lstm(NodeContext& n) {
  auto* o = n.options<fbs::LstmOptions>(fbs::BuiltinOptions::LSTM);
  if (!o) return invalid("has no options");
  if (o->kernel_type() == fbs::LstmKernel::BASIC) return import_basic_lstm(n, *o);
  Lstm lstm(n, kLstm, {o->activation(), o->cell_clip(), o->proj_clip(), o->asymmetric_quantize_inputs()});
  Stepped out = lstm.step({n.in(0)}, n.in(18), n.in(19));
  n.output(0, out.y);
  n.update(18, out.states[0]);
  n.update(19, out.states[1]);
  return {};
}

Status import_unidirectional_sequence_lstm(NodeContext& n) {
  auto* o = n.options<fbs::SequenceLstmOptions>(fbs::BuiltinOptions::UnidirectionalSequenceLSTM);
  if (!o) return invalid("has no options");
  if (o->diagonal_recurrent_tensors()) {
    n.unsupported("UNIDIRECTIONAL_SEQUENCE_LSTM with diagonal recurrent weights");
    return {};
  }
  Lstm lstm(n, kLstm, {o->activation(), o->cell_clip(), o->proj_clip(), o->asymmetric_quantize_inputs()});
  n.output(0, lstm.run({n.in(0)}, o->time_major(), false));
  return {};
}

Status import_bidirectional_sequence_lstm(NodeContext& n) {
  auto* o = n.options<fbs::BidirectionalSequenceLstmOptions>(fbs::BuiltinOptions::BidirectionalSequenceLSTM);
  if (!o) return invalid("has no options");
  LstmSettings s{o->activation(), o->cell_clip(), o->proj_clip(), o->asymmetric_quantize_inputs()};
  bool weighted = n.has(41);
  ValueId own = n.has(39) && !weighted ? n.in(39) : n.in(0), aux = weighted ? n.in(39) : kNone;
  Lstm forward(n, {1, 5, 9, 12, 16, 17, 35, 36, -1, 40}, s), backward(n, {18, 22, 26, 29, 33, 34, 37, 38, -1, 44}, s);
  ValueId a = forward.run({n.in(0), aux}, o->time_major(), false), b = backward.run({own, aux}, o->time_major(), true);
  give_directions(n, a, b, o->merge_outputs());
  return {};
}

}  // namespace mote::tflite
