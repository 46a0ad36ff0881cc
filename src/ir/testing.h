// A few ops for tests of this folder, which stands below src/ops.
#pragma once

#include <string_view>

#include "ir/infer.h"

namespace mote::testing {

inline constexpr Slot kOneSlot[] = {{"x", ""}};
inline constexpr Slot kTwoSlots[] = {{"x", ""}, {"y", ""}};
inline constexpr Slot kOptionalSlots[] = {{"x", ""}, {"w", ""}, {"b", "", Arity::kOptional}};
inline constexpr Slot kManySlots[] = {{"x", "", Arity::kVariadic}};
inline constexpr Slot kIfSlots[] = {{"condition", ""}, {"x", "", Arity::kVariadic}};
inline constexpr Slot kLoopSlots[] = {
    {"count", "", Arity::kOptional}, {"condition", "", Arity::kOptional}, {"x", "", Arity::kVariadic}};
inline constexpr AttrSpec kConvAttrs[] = {{"strides", AttrKind::kInts, "ints:[]", ""},
                                          {"alpha", AttrKind::kFloat, "1.0", ""},
                                          {"mode", AttrKind::kString, "\"\"", ""},
                                          {"to", AttrKind::kDType, "", ""},
                                          {"names", AttrKind::kStrings, "strings:[]", ""}};
inline constexpr AttrSpec kAxisAttrs[] = {{"axis", AttrKind::kInt, "", "", true}};
inline constexpr AttrSpec kCarriedAttrs[] = {{"carried", AttrKind::kInt, "0", ""}};

inline constexpr Op kTestOps[] = {
    {.name = "relu", .inputs = kOneSlot, .outputs = kOneSlot},
    {.name = "add", .version = 3, .inputs = kTwoSlots, .outputs = kOneSlot},
    {.name = "conv", .inputs = kOptionalSlots, .outputs = kOneSlot, .attrs = kConvAttrs},
    {.name = "concat", .inputs = kManySlots, .outputs = kOneSlot, .attrs = kAxisAttrs},
    {.name = "split", .inputs = kOneSlot, .outputs = kManySlots, .attrs = kAxisAttrs},
    {.name = "print", .inputs = kOneSlot},
    {.name = "my domain.Op", .inputs = kOneSlot, .outputs = kOneSlot},
    {.name = "if", .inputs = kIfSlots, .outputs = kManySlots, .flags = kControl},
    {.name = "loop", .inputs = kLoopSlots, .outputs = kManySlots, .attrs = kCarriedAttrs, .flags = kControl},
    {.name = "call", .inputs = kManySlots, .outputs = kManySlots, .flags = kControl},
};

class TestOps final : public OpLookup {
 public:
  const Op* find(std::string_view name) const override {
    for (const Op& op : kTestOps) {
      if (op.name == name) return &op;
    }
    return nullptr;
  }
};

}  // namespace mote::testing
