// A step of a frame, seen by a reference implementation.
#pragma once

#include "ir/infer.h"
#include "runtime/context.h"

namespace mote {

// Why a run ends before its time. Requires stop.requested(), now or before.
Status stopped(const Stop& stop);

class StepCall final : public ReferenceContext {
 public:
  StepCall(Frame& frame, std::size_t step, const Op& op)
      : ReferenceContext(op, frame.f_.steps[step].attrs), frame_(frame), step_(frame.f_.steps[step]) {}

  int inputs() const override { return static_cast<int>(step_.inputs.size()); }
  int outputs() const override { return static_cast<int>(step_.outputs.size()); }
  bool has(int i) const override { return i < inputs() && id(i) != kNone && frame_.slot(id(i)).present; }
  const TensorView& in(int i) const override { return frame_.slot(id(i)).view; }
  std::vector<TensorView> list(int i) const override;
  bool is_list(int i) const override { return frame_.slot(id(i)).list != nullptr; }
  bool wants(int o) const override { return o < outputs() && out_id(o) != kNone; }
  bool gives_list(int o) const override { return wants(o) && frame_.slot(out_id(o)).list != nullptr; }
  Result<TensorView> out(int o, DType dtype, std::span<const std::int64_t> shape) override;
  Status out_list(int o, std::span<const TensorView> items) override;
  Result<std::span<std::byte>> scratch(std::size_t bytes) override;
  std::string_view string(StringRef r) const override { return frame_.core_.strings.get(r); }
  Result<StringRef> add_string(std::string_view s) override { return frame_.core_.strings.add(frame_.core_.budget, s); }
  std::uint32_t random() override;

 private:
  Status poll(std::int64_t) override;
  std::int32_t id(int i) const { return step_.inputs[static_cast<std::size_t>(i)]; }
  std::int32_t out_id(int o) const { return step_.outputs[static_cast<std::size_t>(o)]; }

  Frame& frame_;
  const Step& step_;
  std::vector<HeapBlock> scratch_;
};

// The elements of a small integer tensor (dense), as inference wants them.
std::optional<KnownValue> known_value(const TensorView& view);
// Those of a small tensor of floats.
std::optional<std::vector<double>> known_floats(const TensorView& view);

}  // namespace mote
