// Runs tests/ops/*.case (and, with MOTE_OP_CASES set, the *.case files of that folder instead), whose form
// case_testing.h describes.
// Besides the outputs a case checks: inference with static shapes agrees with the run; with the values of shape
// operands it gives exactly the run's shapes; and the op's decomposition gives the reference's answer.
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <sstream>

#include "ops/case_testing.h"
#include "ops/decompose.h"
#include "ops/element.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/testing.h"

namespace mote::testing {
namespace {

std::string show(const Tensor& t, const StringHeap& strings) {
  std::ostringstream s;
  TensorView v = t.view();
  s << Type::tensor(t.dtype, Shape(t.shape.begin(), t.shape.end())).to_string();
  for (std::int64_t i = 0; i < v.count() && i < 40; ++i) {
    if (t.dtype == DType::string) {
      s << " \"" << strings.get(v.as<StringRef>()[i]) << "\"";
    } else if (is_int(t.dtype)) {
      s << " " << load_i64(v, i);
    } else if (t.dtype != DType::c64 && t.dtype != DType::c128) {
      s << " " << load_f64(v, i);
    }
  }
  return s.str();
}

bool same(const Tensor& a, const Tensor& b, double rtol, double atol, double looseness, const StringHeap& strings) {
  if (a.dtype != b.dtype || a.shape != b.shape) return false;
  TensorView x = a.view(), y = b.view();
  for (std::int64_t i = 0; i < x.count(); ++i) {
    if (a.dtype == DType::string) {
      if (strings.get(x.as<StringRef>()[i]) != strings.get(y.as<StringRef>()[i])) return false;
    } else if (is_int(a.dtype)) {
      if (load_i64(x, i) != load_i64(y, i)) return false;
    } else if (a.dtype == DType::c64) {
      if (x.as<std::int64_t>()[i] != y.as<std::int64_t>()[i]) return false;
    } else {
      double p = load_f64(x, i), q = load_f64(y, i);
      double loose = looseness * (a.dtype == DType::f16 ? 1e-3 : a.dtype == DType::bf16 ? 8e-3 : 0);
      if (p == q || (std::isnan(p) && std::isnan(q))) continue;
      if (!(std::fabs(p - q) <= atol + std::fmax(rtol, loose) * std::fabs(q))) return false;
    }
  }
  return true;
}

void expect_same(const Item& got, const Item& want, const Case& c, const StringHeap& strings, const std::string& what,
                 double looseness = 1) {
  ASSERT_EQ(got.present, want.present) << what;
  ASSERT_EQ(got.is_list, want.is_list) << what;
  ASSERT_EQ(got.tensors.size(), want.tensors.size()) << what;
  for (std::size_t i = 0; i < got.tensors.size(); ++i) {
    EXPECT_TRUE(same(got.tensors[i], want.tensors[i], c.rtol, c.atol, looseness, strings))
        << what << "\n  got  " << show(got.tensors[i], strings) << "\n  want " << show(want.tensors[i], strings);
  }
}

// Inference on inputs of static shapes, with (or without) the values of integer inputs.
Status infer_static(const Op& op, const Case& c, bool values, std::vector<Type>& out) {
  InferContext ctx(op, c.attrs, c.name);
  std::deque<Type> types;
  int fresh = 0;
  ctx.fresh_name_ = [&] { return "$" + std::to_string(fresh++); };
  ctx.output_count_ = static_cast<int>(c.outputs.size());
  for (const Item& item : c.inputs) {
    ctx.values_.emplace_back();
    ctx.floats_.emplace_back();
    ctx.types_.push_back(nullptr);
    if (!item.present) continue;
    types.push_back(type_of(item));
    ctx.types_.back() = &types.back();
    if (!values || item.is_list) continue;
    TensorView v = item.tensors[0].view();
    if (v.count() > static_cast<std::int64_t>(kMaxKnown)) continue;
    if (is_int(v.dtype) || v.dtype == DType::boolean) {
      ctx.values_.back() = KnownValue();
      for (std::int64_t x : read_ints(v)) ctx.values_.back()->emplace_back(x);
    } else if (is_float(v.dtype)) {
      ctx.floats_.back() = std::vector<double>();
      for (std::int64_t i = 0; i < v.count(); ++i) ctx.floats_.back()->push_back(load_f64(v, i));
    }
  }
  MOTE_TRY(op.infer(ctx));
  ctx.out_types_.resize(c.outputs.size());
  // Values known at inference are the values of the run.
  for (std::size_t i = 0; i < ctx.out_values_.size() && i < c.outputs.size(); ++i) {
    if (!ctx.out_values_[i] || !c.outputs[i].present || c.any[i]) continue;
    std::vector<std::int64_t> want = read_ints(c.outputs[i].tensors[0].view());
    EXPECT_EQ(constant_extents(*ctx.out_values_[i]), want) << "known value of output " << i;
  }
  out = std::move(ctx.out_types_);
  return {};
}

// Whether a value of type `t` may be `item`.
bool admits(const Type& t, const Item& item, bool exact) {
  if (item.is_list) return !t.is_tensor();
  if (!t.is_tensor() || t.dtype != item.tensors[0].dtype) return false;
  const std::vector<std::int64_t>& shape = item.tensors[0].shape;
  if (!t.has_rank()) return !exact;
  if (t.shape->size() != shape.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const Dim& d = (*t.shape)[i];
    if (d.is_const() ? d.value() != shape[i] : exact) return false;
  }
  return true;
}

void check_inference(const Op& op, const Case& c) {
  for (bool values : {false, true}) {
    std::vector<Type> types;
    Status s = infer_static(op, c, values, types);
    ASSERT_TRUE(s.ok()) << s.to_string();
    for (std::size_t i = 0; i < c.outputs.size(); ++i) {
      if (!c.outputs[i].present) continue;
      EXPECT_TRUE(admits(types[i], c.outputs[i], values && !op.is(kDataDependent)))
          << "output " << i << " inferred " << (values ? "with" : "without") << " values: " << types[i].to_string();
    }
  }
}

void check_symbolic(const Op& op, const Case& c, const Symbolic& s) {
  InferContext ctx(op, c.attrs, c.name);
  int fresh = 0;
  ctx.fresh_name_ = [&] { return "$" + std::to_string(fresh++); };
  ctx.output_count_ = std::max(static_cast<int>(s.outputs.size()), 1);
  ctx.values_ = s.input_values;
  for (const std::optional<Type>& t : s.inputs) ctx.types_.push_back(t ? &*t : nullptr);
  Status status = op.infer(ctx);
  if (!s.refused.empty()) {
    EXPECT_NE(status.to_string().find(s.refused), std::string::npos) << status.to_string();
    return;
  }
  ASSERT_TRUE(status.ok()) << status.to_string();
  ctx.out_types_.resize(s.outputs.size());
  ctx.out_values_.resize(s.outputs.size());
  for (std::size_t i = 0; i < s.outputs.size(); ++i) {
    if (!s.outputs[i]) continue;
    EXPECT_EQ(ctx.out_types_[i].to_string(), s.outputs[i]->to_string()) << "output " << i;
    auto text = [](const std::optional<KnownValue>& v) { return v ? to_string(*v) : "unknown"; };
    EXPECT_EQ(text(ctx.out_values_[i]), text(s.output_values[i])) << "value of output " << i;
  }
}

void run_case(const Case& c, StringHeap& strings) {
  const Op* op = find_op(c.op);
  ASSERT_TRUE(op) << "no op '" << c.op << "'";
  for (const Symbolic& s : c.symbolic) check_symbolic(*op, c, s);
  if (c.outputs.empty() && c.error.empty()) return;
  int outputs = std::max(static_cast<int>(c.outputs.size()), 1);
  Result<std::vector<Item>> got = run_op(*op, c.attrs, c.inputs, outputs, strings);
  if (!c.error.empty()) {
    ASSERT_FALSE(got.ok());
    EXPECT_NE(got.status().to_string().find(c.error), std::string::npos) << got.status().to_string();
    return;
  }
  check_inference(*op, c);
  ASSERT_TRUE(got.ok()) << got.status().to_string();
  for (std::size_t i = 0; i < c.outputs.size(); ++i) {
    if (!c.outputs[i].present) continue;
    Item want = c.any[i] ? (*got)[i] : c.outputs[i];
    expect_same((*got)[i], want, c, strings, "output " + std::to_string(i));
    if (c.any[i]) {
      EXPECT_EQ((*got)[i].tensors[0].shape, c.outputs[i].tensors[0].shape);
    }
  }
  if (!find_decomposition(*op) || op->is(kRandom)) return;
  for (bool baked : {true, false}) {
    Result<std::vector<Item>> parts = run_decomposed(*op, c.attrs, c.inputs, outputs, strings, baked);
    if (!parts.ok() && parts.status().code() == Code::kUnsupported) continue;
    ASSERT_TRUE(parts.ok()) << parts.status().to_string();
    for (std::size_t i = 0; i < c.outputs.size(); ++i) {
      if (c.outputs[i].present) expect_same((*parts)[i], (*got)[i], c, strings, "decomposed output", 4);
    }
  }
}

TEST(OpCases, AllFiles) {
  const std::vector<std::filesystem::path> files = case_files(MOTE_OP_CASES);
  ASSERT_FALSE(files.empty());
  for (const auto& file : files) {
    StringHeap strings;
    for (const Case& c : read_cases(file, strings)) {
      SCOPED_TRACE(file.filename().string() + ":" + std::to_string(c.line) + " " + c.name);
      run_case(c, strings);
    }
  }
}

}  // namespace
}  // namespace mote::testing
