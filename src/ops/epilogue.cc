#include "ops/epilogue.h"

#include <charconv>

#include "ops/loops.h"
#include "ops/run_util.h"
#include "ops/scalar.h"

namespace mote {
namespace {

using kernels::Form;

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

bool read_number(std::string_view text, double& x) {
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), x);
  return ec == std::errc() && end == text.data() + text.size();
}

bool read_operand(std::string_view text, int& operand, double& immediate) {
  if (text == "start") return operand = kernels::kStart, true;
  if (text.starts_with("=")) return operand = kernels::kImmediate, read_number(text.substr(1), immediate);
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), operand);
  return ec == std::errc() && end == text.data() + text.size() && operand >= 0 && operand < 128;
}

std::optional<EpilogueStep> parse_step(std::string_view text) {
  std::vector<std::string_view> w = words(text);
  if (w.empty()) return std::nullopt;
  EpilogueStep s{};
  if (w[0] == "select") {
    s.form = Form::kSelect;
    bool ok = w.size() == 3 && read_operand(w[1], s.operand, s.a) && read_operand(w[2], s.operand2, s.a);
    return ok ? std::optional(s) : std::nullopt;
  }
  if (std::optional<UnaryOp> op = kernels::unary_op_of(w[0])) {
    s.form = Form::kUnary;
    s.opcode = static_cast<std::uint8_t>(*op);
    bool ok = w.size() <= 3 && (w.size() < 2 || read_number(w[1], s.a)) && (w.size() < 3 || read_number(w[2], s.b));
    return ok ? std::optional(s) : std::nullopt;
  }
  std::optional<BinaryOp> op = kernels::binary_op_of(w[0]);
  if (!op || w.size() < 2 || w.size() > 3 || !read_operand(w[1], s.operand, s.a)) return std::nullopt;
  if (w.size() == 3 && w[2] != "reversed") return std::nullopt;
  s.form = w.size() == 3 ? Form::kReversed : Form::kBinary;
  s.opcode = static_cast<std::uint8_t>(*op);
  return s;
}

std::string number(double x) {
  char buffer[32];
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, x).ptr);
}

std::string operand_text(int operand, double immediate) {
  if (operand == kernels::kStart) return "start";
  return operand == kernels::kImmediate ? "=" + number(immediate) : std::to_string(operand);
}

}  // namespace

Result<std::vector<EpilogueStep>> parse_epilogue(const std::vector<std::string>& steps) {
  std::vector<EpilogueStep> out;
  for (const std::string& text : steps) {
    std::optional<EpilogueStep> s = parse_step(text);
    if (!s) return invalid("epilogue step '" + text + "' is not understood");
    out.push_back(*s);
  }
  return out;
}

std::string to_string(const EpilogueStep& s) {
  if (s.form == Form::kSelect) return "select " + operand_text(s.operand, s.a) + " " + operand_text(s.operand2, s.a);
  if (s.form == Form::kUnary) {
    std::string text(name_of(static_cast<UnaryOp>(s.opcode)));
    if (s.a != 0 || s.b != 0) text += " " + number(s.a);
    if (s.b != 0) text += " " + number(s.b);
    return text;
  }
  return std::string(name_of(static_cast<BinaryOp>(s.opcode))) + " " + operand_text(s.operand, s.a) +
         (s.form == Form::kReversed ? " reversed" : "");
}

Status infer_epilogue(const InferContext& ctx, const Type& result) {
  Result<std::vector<EpilogueStep>> program = parse_epilogue(ctx.attr_strings("epilogue"));
  if (!program.ok()) return ctx.error(std::string(program.status().message()));
  for (const EpilogueStep& s : *program) {
    for (int operand : {s.operand, s.operand2}) {
      if (operand < 0) continue;
      if (!ctx.has(operand)) return ctx.error("epilogue reads input " + std::to_string(operand) + ", which is absent");
      bool condition = s.form == Form::kSelect && operand == s.operand;
      if (ctx.dtype(operand) != result.dtype && !condition) {
        return ctx.error("epilogue operand " + std::to_string(operand) + " has another dtype than the result");
      }
      if (!ctx.has_rank(operand) || !result.has_rank()) continue;
      Result<Shape> both = broadcast(*result.shape, ctx.shape(operand));
      if (!both.ok() || both->size() != result.shape->size()) {
        return ctx.error("epilogue operand " + std::to_string(operand) + " of shape " + to_string(ctx.shape(operand)) +
                         " does not broadcast to " + to_string(*result.shape));
      }
    }
  }
  return {};
}

Status run_epilogue(ReferenceContext& ctx, const TensorView& y) {
  MOTE_ASSIGN(std::vector<EpilogueStep> program, parse_epilogue(ctx.attr_strings("epilogue")));
  if (program.empty()) return {};
  TensorView start = y;
  for (const EpilogueStep& s : program) {
    if ((s.operand != kernels::kStart && s.operand2 != kernels::kStart) || start.data != y.data) continue;
    MOTE_ASSIGN(std::span<std::byte> copy, ctx.scratch(static_cast<std::size_t>(y.bytes())));
    start.data = copy.data();
    copy_elements(ctx, y, 0, start, 0, y.count());
  }
  for (const EpilogueStep& s : program) {
    auto operand = [&](int i) { return i >= 0 ? ctx.in(i) : i == kernels::kStart ? start : y; };
    TensorView p = operand(s.operand), q = operand(s.operand2);
    std::array<Strides, 3> strides = {dense_strides(y.shape()), broadcast_strides(p, y.rank),
                                      broadcast_strides(q, y.rank)};
    with_element(y.dtype, [&](auto element) {
      using E = decltype(element);
      using V = typename E::Value;
      walk<3>(ctx, y.shape(), strides, [&](const auto& at) {
        V v = E::load(y, at[0]);
        if (s.form == Form::kSelect) {
          bool keep = s.operand == kernels::kImmediate ? s.a != 0 : load_f64(p, at[1]) != 0;
          return keep ? void() : E::store(y, at[0], s.operand2 == kernels::kImmediate ? V(s.a) : E::load(q, at[2]));
        }
        if (s.form == Form::kUnary) return E::store(y, at[0], eval_unary(static_cast<UnaryOp>(s.opcode), v, s.a, s.b));
        V x = s.operand == kernels::kImmediate ? static_cast<V>(s.a) : E::load(p, at[1]);
        BinaryOp op = static_cast<BinaryOp>(s.opcode);
        E::store(y, at[0], s.form == Form::kReversed ? eval_binary(op, x, v) : eval_binary(op, v, x));
      });
    });
  }
  return {};
}

}  // namespace mote
