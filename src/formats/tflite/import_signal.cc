// The operators of the audio front end of TensorFlow Lite Micro. Those that remember earlier calls do so in states.
#include "base/text.h"
#include "formats/tflite/flex.h"

namespace mote::tflite {
namespace {

// The operator's options that the op has as attributes.
Status same_options(NodeContext& n, std::string_view name, std::vector<ValueId> inputs, int outputs) {
  FlexOptions options(n);
  const Op* op = n.importer().find_op(name);
  std::vector<Attrs::Item> attrs;
  for (const auto& [key, value] : options.items()) {
    if (op && op->attr(key)) attrs.emplace_back(key, value);
  }
  std::vector<ValueId> made = n.emit_multi(name, std::move(inputs), outputs, std::move(attrs));
  for (int i = 0; i < outputs && i < n.outputs(); ++i) n.output(i, made[static_cast<std::size_t>(i)]);
  return {};
}

Type declared(const fbs::Tensor& t) {
  std::vector<std::int64_t> shape = ints_of(t.shape());
  return Type::tensor(dtype_of(t.type()), Shape(shape.begin(), shape.end()));
}

const fbs::Tensor* tensor_of(const fbs::SubGraph& graph, const flatbuffers::Vector<std::int32_t>* list, std::size_t i) {
  std::int32_t t = i < size_of(list) ? list->Get(static_cast<flatbuffers::uoffset_t>(i)) : -1;
  return t < 0 ? nullptr : graph.tensors()->Get(static_cast<flatbuffers::uoffset_t>(t));
}

constexpr std::string_view kNoise = "noise";

}  // namespace

std::vector<std::pair<std::string_view, Type>> hidden_states(const fbs::SubGraph& graph, const fbs::Operator& op,
                                                             std::string_view custom_name) {
  if (custom_name == "SignalFilterBankSpectralSubtraction") {
    if (const fbs::Tensor* t = tensor_of(graph, op.inputs(), 0)) return {{kNoise, declared(*t)}};
  }
  return {};
}

std::string hidden_name(const fbs::SubGraph& graph, std::int32_t subgraph, const fbs::Operator& op,
                        std::string_view state) {
  const fbs::Tensor* t = tensor_of(graph, op.outputs(), 0);
  return concat(t ? text_of(t->name()) : std::string_view(), "/", state, " ", subgraph, "/",
                size_of(op.outputs()) == 0 ? -1 : op.outputs()->Get(0));
}

Status import_signal_window(NodeContext& n) { return same_options(n, "signal_window", {n.in(0), n.in(1)}, 1); }
Status import_signal_fft_auto_scale(NodeContext& n) { return same_options(n, "signal_fft_auto_scale", {n.in(0)}, 2); }
Status import_signal_rfft(NodeContext& n) { return same_options(n, "signal_rfft", {n.in(0)}, 1); }
Status import_signal_irfft(NodeContext& n) { return same_options(n, "signal_irfft", {n.in(0)}, 1); }
Status import_signal_energy(NodeContext& n) { return same_options(n, "signal_energy", {n.in(0)}, 1); }
Status import_signal_filter_bank(NodeContext& n) { return same_options(n, "signal_filter_bank", n.all_inputs(), 1); }
Status import_signal_square_root(NodeContext& n) {
  return same_options(n, "signal_square_root", {n.in(0), n.in(1)}, 1);
}
Status import_signal_filter_bank_log(NodeContext& n) { return same_options(n, "signal_log", {n.in(0)}, 1); }
Status import_signal_pcan(NodeContext& n) { return same_options(n, "signal_pcan", n.all_inputs(), 1); }

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

}  // namespace mote::tflite
