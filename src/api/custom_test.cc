// Custom ops, registered from C++ and from C, in modules built here.
#include "mote/custom.h"

#include <gtest/gtest.h>

#include "api/c_api.h"
#include "api/custom.h"
#include "api/engine.h"
#include "ir/builder.h"
#include "ops/ops.h"

namespace mote {
namespace {

// y[i] = x[i] * factor, known before the run.
CustomOp scale() {
  CustomOp op;
  op.domain = "test";
  op.name = "Scale";
  op.infer = [](CustomTypes& t) { return t.output_like(0, 0); };
  op.run = [](CustomCall& c) -> Status {
    const TensorView& x = c.input(0);
    MOTE_ASSIGN(TensorView y, c.output(0, x.dtype, x.shape()));
    float factor = static_cast<float>(c.attributes().as_float("factor", 1));
    for (std::int64_t i = 0; i < x.count(); ++i) y.as<float>()[i] = factor * x.as<float>()[i];
    return {};
  };
  return op;
}

// The elements above zero; how many there are shows at run time.
CustomOp keep() {
  CustomOp op;
  op.domain = "test";
  op.name = "Keep";
  op.infer = [](CustomTypes& t) { return t.output(0, DType::f32, std::vector<std::int64_t>{kUnknownExtent}); };
  op.run = [](CustomCall& c) -> Status {
    std::vector<float> kept;
    for (std::int64_t i = 0; i < c.input(0).count(); ++i) {
      if (float v = c.input(0).as<float>()[i]; v > 0) kept.push_back(v);
    }
    MOTE_ASSIGN(TensorView y,
                c.output(0, DType::f32, std::vector<std::int64_t>{static_cast<std::int64_t>(kept.size())}));
    std::copy(kept.begin(), kept.end(), y.as<float>());
    return {};
  };
  return op;
}

// relu(name(x)) for x of shape [N].
Module module_with(const OpRegistry& ops, std::string_view name, std::int64_t extra_inputs = 0) {
  Module m;
  m.functions.push_back(Function{"main", {}, {}, {}, {}});
  m.signatures.push_back({"main", 0, {}});
  ValueId x = m.functions[0].add_input("x", Type::tensor(DType::f32, Shape{Dim::symbol("N")}));
  Attrs attrs;
  attrs.set("factor", 3.0);
  std::vector<ValueId> inputs(static_cast<std::size_t>(1 + extra_inputs), x);
  m.functions[0].add_node(*ops.impl().find(name), "custom", inputs, attrs, 1);
  ValueId y = m.functions[0].nodes[0].outputs[0];
  Builder b(m, 0, builtin_ops());
  ValueId z = b.add("relu", {y});
  b.append();
  m.functions[0].outputs = {y, z};
  return m;
}

Result<std::vector<std::vector<float>>> run(Module m, std::shared_ptr<const OpRegistry> ops, std::vector<float> x) {
  LoadOptions options;
  options.ops = ops;
  MOTE_ASSIGN(auto linked, api::build(std::move(m), options));
  ops.reset();
  options.ops.reset();
  MOTE_ASSIGN(auto context, Context::create(linked, ContextOptions{}));
  std::vector<std::int64_t> shape{static_cast<std::int64_t>(x.size())};
  MOTE_TRY(context->set_input(0, TensorView::of(reinterpret_cast<std::byte*>(x.data()), DType::f32, shape)));
  MOTE_TRY(context->run());
  std::vector<std::vector<float>> out;
  for (int i = 0; i < context->output_count(); ++i) {
    const TensorView& v = context->output(i);
    out.emplace_back(v.as<float>(), v.as<float>() + v.count());
  }
  return out;
}

using Rows = std::vector<std::vector<float>>;

TEST(Custom, RunsOpsOfKnownAndOfRunTimeShapes) {
  auto ops = OpRegistry::create();
  ASSERT_TRUE(ops->add(scale()).ok());
  ASSERT_TRUE(ops->add(keep()).ok());
  EXPECT_EQ(ops->names(), (std::vector<std::string>{"test.Keep", "test.Scale"}));
  auto scaled = run(module_with(*ops, "test.Scale"), ops, {1, -2, 3});
  ASSERT_TRUE(scaled.ok()) << scaled.status().to_string();
  EXPECT_EQ(*scaled, (Rows{{3, -6, 9}, {3, 0, 9}}));
  auto kept = run(module_with(*ops, "test.Keep"), ops, {1, -2, 3, -4, 5});
  ASSERT_TRUE(kept.ok()) << kept.status().to_string();
  EXPECT_EQ(*kept, (Rows{{1, 3, 5}, {1, 3, 5}}));
  auto none = run(module_with(*ops, "test.Keep"), ops, {-1});
  ASSERT_TRUE(none.ok()) << none.status().to_string();
  EXPECT_TRUE((*none)[0].empty());
}

TEST(Custom, RefusesWhatIsWrong) {
  auto ops = OpRegistry::create();
  ASSERT_TRUE(ops->add(scale()).ok());
  EXPECT_FALSE(ops->add(scale()).ok());  // twice
  for (auto change : std::vector<std::function<void(CustomOp&)>>{
           [](CustomOp& o) { o.domain = ""; }, [](CustomOp& o) { o.name = "a b"; },
           [](CustomOp& o) { o.infer = nullptr; }, [](CustomOp& o) { o.max_inputs = 0; },
           [](CustomOp& o) { o.outputs = 0; }}) {
    CustomOp op = scale();
    op.name = "Other";
    change(op);
    EXPECT_FALSE(ops->add(op).ok());
  }
  auto many = run(module_with(*ops, "test.Scale", 1), ops, {1});
  ASSERT_FALSE(many.ok());
  EXPECT_NE(many.status().to_string().find("at most 1 inputs"), std::string::npos) << many.status().to_string();
}

TEST(Custom, ChecksWhatOpsGive) {
  auto ops = OpRegistry::create();
  CustomOp wrong_shape = scale(), silent = scale(), failing = scale(), wrong_type = scale();
  wrong_shape.name = "WrongShape";
  wrong_shape.run = [](CustomCall& c) { return c.output(0, DType::f32, std::vector<std::int64_t>{99}).status(); };
  silent.name = "Silent";
  silent.run = [](CustomCall&) { return Status(); };
  failing.name = "Failing";
  failing.run = [](CustomCall&) { return invalid("it is Tuesday"); };
  wrong_type.name = "WrongType";
  wrong_type.run = [](CustomCall& c) { return c.output(0, DType::i32, c.input(0).shape()).status(); };
  for (const CustomOp& op : {wrong_shape, silent, failing, wrong_type}) {
    ASSERT_TRUE(ops->add(op).ok());
    auto r = run(module_with(*ops, "test." + op.name), ops, {1, 2});
    ASSERT_FALSE(r.ok()) << op.name;
    EXPECT_NE(r.status().to_string().find("custom"), std::string::npos) << r.status().to_string();  // the node
  }
}

// The same through the C interface.
mote_code c_infer(void*, mote_types* t) {
  mote_tensor x;
  if (!t->input(t, 0, &x)) return t->fail(t, "no x");
  if (x.dtype != MOTE_F32) return t->fail(t, "x is not f32");
  std::int64_t extents[] = {2, MOTE_EXTENT_OF(0, 0)};
  return t->set_output(t, 0, MOTE_F32, extents, 2);
}

mote_code c_run(void* user, mote_call* c) {
  const mote_tensor& x = c->inputs[0];
  std::int64_t dims[] = {2, x.dims[0]};
  mote_tensor y;
  if (mote_code code = c->output(c, 0, MOTE_F32, dims, 2, &y); code != MOTE_OK) return code;
  double factor = c->attributes->as_float(c->attributes, "factor", 0);
  for (std::int64_t i = 0; i < x.dims[0]; ++i) {
    static_cast<float*>(y.data)[i] = static_cast<const float*>(x.data)[i];
    static_cast<float*>(y.data)[x.dims[0] + i] = static_cast<float>(factor) * static_cast<const float*>(x.data)[i];
  }
  ++*static_cast<int*>(user);
  return MOTE_OK;
}

TEST(Custom, RunsOpsDescribedInC) {
  int calls = 0;
  mote_op op{sizeof(mote_op), "c", "Twice", 1, nullptr, 1, 1, 1, c_infer, c_run, &calls};
  mote_registry* registry = nullptr;
  ASSERT_EQ(mote_registry_create(&registry), MOTE_OK);
  ASSERT_EQ(mote_registry_add_op(registry, &op), MOTE_OK);
  EXPECT_EQ(mote_registry_add_op(registry, &op), MOTE_INVALID);
  EXPECT_NE(std::string(mote_error_message()).find("registered already"), std::string::npos);
  auto ops = registry->ops;
  mote_registry_free(registry);
  auto r = run(module_with(*ops, "c.Twice"), ops, {1, 2});
  ASSERT_TRUE(r.ok()) << r.status().to_string();
  EXPECT_EQ((*r)[0], (std::vector<float>{1, 2, 3, 6}));
  EXPECT_EQ(calls, 1);
  EXPECT_NE(mote_registry_load_plugin(nullptr, "x"), MOTE_OK);
}

}  // namespace
}  // namespace mote
