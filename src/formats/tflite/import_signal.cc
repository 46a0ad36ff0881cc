// The operators of the audio front end of TensorFlow Lite Micro that remember nothing.
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

}  // namespace

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

}  // namespace mote::tflite
