// What both kinds of preprocessing need to write nodes.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/builder.h"
#include "media/preprocess.h"

namespace mote::front {

// Nodes that will stand before all others of a function, from a new input to the value that takes an old one's place.
class Front {
 public:
  // `position` among the inputs of `function`, whose name the new input takes.
  Front(Module& module, FunctionId function, const OpLookup& ops, std::size_t position)
      : module_(module), builder_(module, function, ops, "preprocessing"), position_(position) {}

  Builder& b() { return builder_; }
  ValueId old() { return builder_.fn().inputs[position_]; }
  // The new input; call once.
  ValueId input(Type type);
  // Ends it: `v` is read wherever the old input was. Drops metadata that begins with one of `prefixes`.
  Status finish(ValueId v, std::span<const std::string_view> prefixes);

  ValueId add(std::string_view op, std::vector<ValueId> inputs, std::vector<Attrs::Item> attrs = {}) {
    return builder_.add(op, std::move(inputs), std::move(attrs));
  }
  ValueId f32(double v) { return builder_.scalar(v, DType::f32); }
  ValueId floats(std::string name, std::vector<std::int64_t> shape, std::span<const double> values);
  ValueId ints(std::vector<std::int64_t> v) { return builder_.ints(std::move(v)); }
  // f32 to `dtype`, as an input of this quantization stores it: rounded half to even and clamped.
  ValueId stored(ValueId v, DType dtype, const media::Quantization& q);

 private:
  Module& module_;
  Builder builder_;
  std::size_t position_;
  ValueId new_ = kNone;
};

}  // namespace mote::front
