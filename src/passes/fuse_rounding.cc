// fuse_rounding: a tensor that is quantized to 16 bits and dequantized again with the same scale, and that nothing else
// reads, rounds in f32: one elementwise program, which joins the epilogue of what is before it. The values are those of
// the two nodes: f32 holds 16-bit integers and their differences from the zero point exactly. NaN stays NaN, where
// quantize_linear gives the zero point.
#include "passes/epilogue_steps.h"
#include "passes/list.h"
#include "passes/quantization.h"

namespace mote::passes {
namespace {

using kernels::BinaryOp;
using kernels::Form;
using kernels::UnaryOp;

EpilogueStep by_number(BinaryOp op, double a) {
  EpilogueStep s{};
  s.form = Form::kBinary;
  s.opcode = static_cast<std::uint8_t>(op);
  s.a = a;
  return s;
}

bool fuse(Graph& g, NodeId n) {
  std::optional<Quantized> back = dequantized(g, g.output(n));
  const NodeId q = back ? g.producer(back->value, "quantize_linear") : kNone;
  std::optional<Quantized> to = q != kNone ? quantized(g, q) : std::nullopt;
  if (!to || bits_of(to->dtype) != 16 || !same_scale(g, *to, *back) || !g.single(to->value) ||
      g.attr_string(q, "rounding") == "half_away")
    return false;
  const QuantizedRange range = whole_range(to->dtype);
  const double scale = *g.scalar(to->scale), zero = to->zero == kNone ? 0 : *g.scalar(to->zero);
  EpilogueStep round{}, clip{};
  round.form = clip.form = Form::kUnary;
  round.opcode = static_cast<std::uint8_t>(UnaryOp::round);
  clip.opcode = static_cast<std::uint8_t>(UnaryOp::clip);
  clip.a = static_cast<double>(range.low) - zero;
  clip.b = static_cast<double>(range.high) - zero;
  std::vector<std::string> program;
  // Integers have one zero: adding 0 gives its sign.
  for (const EpilogueStep& s :
       {by_number(BinaryOp::div, scale), round, clip, by_number(BinaryOp::add, 0), by_number(BinaryOp::mul, scale)})
    program.push_back(to_string(s));
  Builder b = g.builder(n);
  return g.replace(n, b, {b.add("elementwise", {g.input(q, 0)}, {{"epilogue", AttrValue(program)}})});
}

}  // namespace

int fuse_rounding(Module& m, const OpLookup& ops) { return apply_rules(m, ops, {{"dequantize_linear", fuse}}); }

}  // namespace mote::passes
