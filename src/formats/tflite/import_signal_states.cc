// Operators of TensorFlow Lite Micro's audio front end that remember samples of earlier calls. What they keep are
// states, and what they do with them is composed: the newest elements of a line of samples, shifted by each call.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "formats/tflite/compose.h"
#include "formats/tflite/flex.h"

namespace mote::tflite {
namespace {

constexpr std::string_view kNoise = "noise", kLine = "line", kSeen = "seen";
constexpr std::int64_t kMost = 1 << 22;  // elements of what is composed

Type declared(const fbs::Tensor& t) {
  std::vector<std::int64_t> shape = ints_of(t.shape());
  return Type::tensor(dtype_of(t.type()), Shape(shape.begin(), shape.end()));
}

const fbs::Tensor* tensor_of(const fbs::SubGraph& graph, const flatbuffers::Vector<std::int32_t>* list, std::size_t i) {
  std::int32_t t = i < size_of(list) ? list->Get(static_cast<flatbuffers::uoffset_t>(i)) : -1;
  return t < 0 ? nullptr : graph.tensors()->Get(static_cast<flatbuffers::uoffset_t>(t));
}

// The type with `extent` instead of its last `axes` axes; nothing where it has fewer.
std::optional<Type> with_last(Type t, std::size_t axes, std::int64_t extent) {
  if (!t.shape || t.shape->size() < axes) return std::nullopt;
  t.shape->resize(t.shape->size() - axes);
  t.shape->push_back(Dim(extent));
  return t;
}

bool in_range(std::int64_t v, std::int64_t least) { return v >= least && v <= kMost; }

struct Framing {
  std::int64_t size, step;
  bool prefill;

  explicit Framing(const FlexOptions& o)
      : size(o.get_int("frame_size", 0)), step(o.get_int("frame_step", 0)), prefill(o.get_int("prefill", 0) != 0) {}
  bool valid() const { return in_range(size, 1) && in_range(step, 1) && (!prefill || size >= step); }
  // Steps before the first frame is there, that one included.
  std::int64_t wait() const { return (size + step - 1) / step; }
  // Samples kept between two steps.
  std::int64_t kept() const { return prefill ? size - step : (wait() - 1) * step; }
};

struct Stacking {
  std::int64_t channels, left, right, step;

  explicit Stacking(const FlexOptions& o)
      : channels(o.get_int("num_channels", 0)),
        left(o.get_int("stacker_left_context", 0)),
        right(o.get_int("stacker_right_context", 0)),
        step(o.get_int("stacker_step", 0)) {}
  bool valid() const {
    return in_range(channels, 1) && in_range(left, 0) && in_range(right, 0) && in_range(step, 1) && step <= frames() &&
           frames() * channels <= kMost;
  }
  std::int64_t frames() const { return left + right + 1; }
};

Status odd_options() { return invalid("has options out of range"); }

// The last axis of x, or an error; how many elements it has.
std::int64_t last_extent(NodeContext& n, ValueId x, int least_rank) {
  const int rank = n.need_rank(x);
  if (n.failed()) return 0;
  if (rank < least_rank) {
    n.fail(invalid("its operand has too few axes"));
    return 0;
  }
  const Dim& d = n.shape(x).back();
  if (!d.is_const()) n.unsupported(concat(n.op_name(), " of frames whose length a run decides"));
  return d.is_const() ? d.value() : 0;
}

ValueId last(NodeContext& n, ValueId v, std::int64_t begin, std::int64_t end) {
  return sliced(n, v, {begin}, {end}, {-1});
}

ValueId zero_like(NodeContext& n, ValueId v) { return n.scalar(0, n.dtype(v)); }

}  // namespace

std::vector<std::pair<std::string_view, Type>> hidden_states(const fbs::SubGraph& graph, const fbs::Operator& op,
                                                             std::string_view custom_name,
                                                             std::span<const std::byte> custom_options) {
  const fbs::Tensor* x = tensor_of(graph, op.inputs(), 0);
  if (!x || !custom_name.starts_with("Signal")) return {};
  FlexOptions options(custom_options);
  const Type count = Type::tensor(DType::i32, Shape());
  auto line = [&](std::size_t axes, std::int64_t extent) -> std::vector<std::pair<std::string_view, Type>> {
    std::optional<Type> t = with_last(declared(*x), axes, extent);
    if (!t || extent == 0) return {};
    return {{kLine, *t}};
  };
  if (custom_name == "SignalFilterBankSpectralSubtraction") return {{kNoise, declared(*x)}};
  if (custom_name == "SignalDelay") {
    const std::int64_t length = options.get_int("delay_length", 0);
    if (in_range(length, 0)) return line(1, length);
  }
  if (custom_name == "SignalFramer") {
    const Framing f(options);
    if (!f.valid()) return {};
    auto states = line(1, f.kept());
    if (!f.prefill) states.emplace_back(kSeen, count);
    return states;
  }
  if (custom_name == "SignalOverlapAdd") {
    const std::size_t axes = size_of(x->shape());
    if (axes >= 2) return line(2, x->shape()->Get(static_cast<flatbuffers::uoffset_t>(axes - 1)));
  }
  if (custom_name == "SignalStacker") {
    const Stacking s(options);
    if (s.valid())
      return {{kLine, Type::tensor(dtype_of(x->type()), Shape{Dim(s.channels * s.frames())})}, {kSeen, count}};
  }
  return {};
}

std::string hidden_name(const fbs::SubGraph& graph, std::int32_t subgraph, const fbs::Operator& op,
                        std::string_view state) {
  const fbs::Tensor* t = tensor_of(graph, op.outputs(), 0);
  return concat(t ? text_of(t->name()) : std::string_view(), "/", state, " ", subgraph, "/",
                size_of(op.outputs()) == 0 ? -1 : op.outputs()->Get(0));
}

// The estimate of the noise is kept; it is the second result, too.
Status import_signal_spectral_subtraction(NodeContext& n) {
  FlexOptions options(n);
  std::vector<Attrs::Item> attrs;
  for (const auto& [key, value] : options.items()) {
    if (key != "num_channels") attrs.emplace_back(key, value);
  }
  std::vector<ValueId> made =
      n.emit_multi("signal_spectral_subtraction", {n.in(0), n.hidden_state(kNoise)}, 2, std::move(attrs));
  n.output(0, made[0]);
  n.output(1, made[1]);
  n.update_hidden(kNoise, made[1]);
  return {};
}

// What came in delay_length samples ago; zeros at first.
Status import_signal_delay(NodeContext& n) {
  const std::int64_t delay = FlexOptions(n).get_int("delay_length", 0);
  if (!in_range(delay, 0)) return odd_options();
  ValueId x = n.in(0);
  const std::int64_t frame = last_extent(n, x, 1);
  if (n.failed()) return {};
  if (delay == 0) {
    n.output(0, n.emit("identity", {x}));
    return {};
  }
  ValueId all = joined(n, {n.hidden_state(kLine), x}, -1);
  n.output(0, last(n, all, 0, frame));
  n.update_hidden(kLine, last(n, all, frame, frame + delay));
  return {};
}

// Overlapping frames of a stream, and whether all of them are full; those that are not are zeros.
Status import_signal_framer(NodeContext& n) {
  const Framing f{FlexOptions(n)};
  if (!f.valid()) return odd_options();
  ValueId x = n.in(0);
  const std::int64_t length = last_extent(n, x, 1), kept = f.kept();
  if (n.failed()) return {};
  const std::int64_t frames = length / f.step;
  if (frames < 1 || length % f.step != 0) return invalid("its operand is no multiple of frame_step");
  if (frames * f.size > kMost) return odd_options();
  ValueId all = kept == 0 ? x : joined(n, {n.hidden_state(kLine), x}, -1);
  std::vector<ValueId> parts;
  for (std::int64_t i = 0; i < frames && !n.failed(); ++i)
    parts.push_back(unsqueezed(n, last(n, all, i * f.step, i * f.step + f.size), {-2}));
  ValueId y = joined(n, std::move(parts), -2);
  if (kept != 0) n.update_hidden(kLine, last(n, all, length, length + kept));
  if (f.prefill) {
    n.output(0, y);
    n.output(1, n.emit("identity", {n.cast(n.scalar_int(1), DType::boolean)}));
    return {};
  }
  // Frame i is full once as many steps have come as it waits for.
  ValueId seen = n.hidden_state(kSeen);
  std::vector<std::int64_t> missing;
  for (std::int64_t i = 0; i < frames; ++i) missing.push_back(std::max<std::int64_t>(f.wait() - 1 - i, 0));
  ValueId full = n.emit("greater_or_equal", {seen, n.cast(n.ints(missing), DType::i32)});
  n.output(0, n.emit("where", {unsqueezed(n, full, {-1}), y, zero_like(n, y)}));
  n.output(1, n.emit("greater_or_equal", {seen, n.scalar(static_cast<double>(missing[0]), DType::i32)}));
  n.update_hidden(kSeen, n.emit("min", {n.emit("add", {seen, n.scalar(static_cast<double>(frames), DType::i32)}),
                                        n.scalar(static_cast<double>(f.wait()), DType::i32)}));
  return {};
}

// Frames added up where they overlap, saturated in 16 bits after each one. Kept: the sum that later frames add to.
Status import_signal_overlap_add(NodeContext& n) {
  const std::int64_t step = FlexOptions(n).get_int("frame_step", 0);
  ValueId x = n.in(0);
  const std::int64_t size = last_extent(n, x, 2);
  if (n.failed()) return {};
  const DType type = n.dtype(x);
  if (type != DType::i16 && type != DType::f32) return invalid("its operand is neither i16 nor f32");
  if (step < 1 || step > size || !in_range(size, 1)) return odd_options();
  const auto& shape = n.shape(x);
  const Dim frames = shape[shape.size() - 2];
  if (!frames.is_const() || frames.value() < 1 || frames.value() > 4096) {
    n.unsupported("SignalOverlapAdd of more than 4,096 frames, or as many as a run decides");
    return {};
  }
  ValueId sum = n.hidden_state(kLine);
  std::vector<ValueId> parts;
  for (std::int64_t i = 0; i < frames.value() && !n.failed(); ++i) {
    ValueId frame = squeezed(n, sliced(n, x, {i}, {i + 1}, {-2}), {-2});
    if (type == DType::f32) {
      sum = n.emit("add", {sum, frame});
    } else {
      ValueId wide = n.emit("add", {n.cast(sum, DType::i32), n.cast(frame, DType::i32)});
      wide = n.emit("clip", {wide, n.scalar(-32768, DType::i32), n.scalar(32767, DType::i32)});
      sum = n.cast(wide, DType::i16);
    }
    parts.push_back(last(n, sum, 0, step));
    sum = n.emit("pad", {last(n, sum, step, size), n.ints({0, step}), kNone, n.ints({-1})});
  }
  n.output(0, joined(n, std::move(parts), -1));
  n.update_hidden(kLine, sum);
  return {};
}

// The last frames side by side, once every stacker_step of them; the first one stands for those before it. Kept: the
// frames, and how many of them count, plus 1; 0 before the first.
Status import_signal_stacker(NodeContext& n) {
  const Stacking s{FlexOptions(n)};
  if (!s.valid()) return odd_options();
  ValueId x = n.in(0);
  const std::int64_t channels = last_extent(n, x, 1);
  if (n.failed()) return {};
  if (channels != s.channels || n.rank(x) != 1) return invalid("its operand is no vector of num_channels elements");
  auto number = [&](std::int64_t v) { return n.scalar(static_cast<double>(v), DType::i32); };
  ValueId seen = n.hidden_state(kSeen), line = n.hidden_state(kLine);
  ValueId first = n.emit("equal", {seen, number(0)});
  ValueId shifted = joined(n, {last(n, line, channels, channels * s.frames()), x}, 0);
  line = n.emit("where", {first, n.emit("tile", {x, n.ints({s.frames()})}), shifted});
  ValueId held = n.emit("where", {first, number(s.left + 1), seen});
  ValueId full = n.emit("greater_or_equal", {held, number(s.frames())});
  n.output(0, n.emit("where", {full, line, zero_like(n, line)}));
  n.output(1, full);
  n.update_hidden(kLine, line);
  n.update_hidden(kSeen,
                  n.emit("add", {n.emit("where", {full, n.emit("sub", {held, number(s.step)}), held}), number(1)}));
  return {};
}

}  // namespace mote::tflite
