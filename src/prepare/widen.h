// Nodes on 16-bit floats that no kernel takes, done in f32 between casts where kernels take that. Weights are cast when
// they are packed. A result that such a node makes is also there in f32, unrounded, and that is what later ones read:
// a network in f16 or bf16 runs in f32 from the first such node to where 16 bits are stored or shown.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "ir/module.h"
#include "mote/status.h"

namespace mote {

class Widening {
 public:
  // Whether a kernel, not a fallback, takes a node of `function`.
  using IsFast = std::function<bool(const Node& node)>;

  Widening(Module& module, FunctionId function, IsFast is_fast)
      : module_(module), function_(function), is_fast_(std::move(is_fast)) {}

  struct Replacement {
    std::vector<Node> nodes;
    std::vector<ValueId> outputs;
  };
  // What stands for `n`; nothing where it stays as it is. `is_slow`: only a fallback takes it.
  Result<std::optional<Replacement>> replace(const Node& n, bool is_slow);

 private:
  bool concerns(const Node& n, bool is_slow) const;
  const Type& type(ValueId v) const;

  Module& module_;
  FunctionId function_;
  IsFast is_fast_;
  std::map<ValueId, ValueId> wide_;  // 16-bit values that exist in f32 too
};

}  // namespace mote
