#include "plan/plan.h"

#include <algorithm>

namespace mote {
namespace {

std::int64_t wrap_add(std::int64_t a, std::int64_t b) {
  std::int64_t r;
  return __builtin_add_overflow(a, b, &r) ? INT64_MAX : r;
}

std::int64_t wrap_mul(std::int64_t a, std::int64_t b) {
  std::int64_t r;
  return __builtin_mul_overflow(a, b, &r) ? INT64_MAX : r;
}

std::int32_t symbol_index(PlanFunction& f, std::string_view name) {
  auto it = std::find(f.symbols.begin(), f.symbols.end(), name);
  if (it == f.symbols.end()) it = f.symbols.insert(it, std::string(name));
  return static_cast<std::int32_t>(it - f.symbols.begin());
}

void emit(PlanFunction& f, const Dim& d, Expr& out) {
  bool first = true;
  for (const Dim::Term& t : d.terms()) {
    bool has_factor = false;
    for (const auto& factor : t.factors) {
      if (factor->fn == Dim::Fn::kSymbol) {
        out.code.push_back({ExprOp::kSymbol, symbol_index(f, factor->key)});
      } else {
        emit(f, factor->a, out);
        emit(f, factor->b, out);
        ExprOp::Code code = factor->fn == Dim::Fn::kFloorDiv ? ExprOp::kFloorDiv
                            : factor->fn == Dim::Fn::kMod    ? ExprOp::kMod
                            : factor->fn == Dim::Fn::kMin    ? ExprOp::kMin
                                                             : ExprOp::kMax;
        out.code.push_back({code, 0});
      }
      if (has_factor) out.code.push_back({ExprOp::kMul, 0});
      has_factor = true;
    }
    if (t.coef != 1) {
      out.code.push_back({ExprOp::kConst, t.coef});
      out.code.push_back({ExprOp::kMul, 0});
    }
    if (!first) out.code.push_back({ExprOp::kAdd, 0});
    first = false;
  }
  if (first || d.constant_term() != 0) {
    out.code.push_back({ExprOp::kConst, d.constant_term()});
    if (!first) out.code.push_back({ExprOp::kAdd, 0});
  }
}

}  // namespace

std::uint64_t Plan::weight_bytes() const {
  std::uint64_t total = 0;
  for (const PlanConstant& c : constants) total += c.size;
  return total;
}

std::int64_t evaluate(const PlanFunction& f, Extent e, std::span<const std::int64_t> symbols) {
  if (e >= 0) return e;
  std::int64_t stack[kExprStack];
  int top = 0;
  for (const ExprOp& op : f.exprs[static_cast<std::size_t>(~e)].code) {
    switch (op.code) {
      case ExprOp::kConst:
        stack[top++] = op.value;
        continue;
      case ExprOp::kSymbol:
        stack[top++] = symbols[static_cast<std::size_t>(op.value)];
        continue;
      default:
        break;
    }
    std::int64_t b = stack[--top], a = stack[top - 1];
    std::int64_t& r = stack[top - 1];
    // Rounded down, 0 by 0.
    const bool whole = b == 0 || b == -1;
    const std::int64_t rest = whole ? 0 : a % b;
    const bool below = rest != 0 && (rest < 0) != (b < 0);
    switch (op.code) {
      case ExprOp::kAdd:
        r = wrap_add(a, b);
        break;
      case ExprOp::kMul:
        r = wrap_mul(a, b);
        break;
      case ExprOp::kFloorDiv:
        r = whole ? wrap_mul(a, b) : a / b - (below ? 1 : 0);
        break;
      case ExprOp::kMod:
        r = below ? rest + b : rest;
        break;
      case ExprOp::kMin:
        r = std::min(a, b);
        break;
      default:
        r = std::max(a, b);
        break;
    }
  }
  return stack[0];
}

std::string to_text(const PlanFunction& f, Extent e) {
  return e >= 0 ? std::to_string(e) : f.exprs[static_cast<std::size_t>(~e)].text;
}

Extent add_extent(PlanFunction& f, const Dim& d) {
  if (d.is_const()) return std::max<std::int64_t>(0, d.value());
  std::string text = d.to_string();
  for (std::size_t i = 0; i < f.exprs.size(); ++i) {
    if (f.exprs[i].text == text) return ~static_cast<Extent>(i);
  }
  Expr e;
  e.text = std::move(text);
  emit(f, d, e);
  f.exprs.push_back(std::move(e));
  return ~static_cast<Extent>(f.exprs.size() - 1);
}

}  // namespace mote
