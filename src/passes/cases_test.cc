// Runs tests/passes/NAME.ir, for the pass NAME (raise_gelu_2.ir would be one more file for raise_gelu). A case is
//   case NAME
//   a module
//   becomes              the module that the pass makes of it, names of inner values, nodes and constants aside
//   a module
// or ends in `stays`: the pass changes nothing. `then PASS` lines before the module run other passes first.
// Besides, the pass changes nothing when run again, its module verifies, and where references can run it with random
// inputs (every symbol is 3), it gives the same answers before and after.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>

#include "ir/infer.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/element.h"
#include "ops/ops.h"
#include "ops/testing.h"
#include "passes/passes.h"

namespace mote::testing {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

struct Case {
  std::string name, input, expected;
  std::vector<std::string> before;
  int line = 0;
  bool stays = false;
};

std::vector<Case> read_cases(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::vector<Case> cases;
  std::string line;
  bool second = false;
  for (int n = 1; std::getline(in, line); ++n) {
    if (line.starts_with("case ")) {
      cases.push_back(Case{line.substr(5), "", "", {}, n});
      second = false;
    } else if (cases.empty()) {
      continue;
    } else if (line == "becomes" || line == "stays") {
      second = true;
      cases.back().stays = line == "stays";
    } else if (line.starts_with("then ")) {
      cases.back().before.push_back(line.substr(5));
    } else {
      (second ? cases.back().expected : cases.back().input) += line + "\n";
    }
  }
  return cases;
}

Module module_of(const std::string& text) {
  Result<Module> m = parse(text, builtin_ops());
  EXPECT_TRUE(m.ok()) << m.status().to_string() << "\n" << text;
  if (!m.ok()) return {};
  if (m->signatures.empty() && !m->functions.empty()) m->signatures.push_back({"main", 0, {}});
  EXPECT_EQ(verify(*m).to_string(), "ok") << text;
  EXPECT_EQ(Inference(*m).run().to_string(), "ok") << text;
  return *std::move(m);
}

// The module's text without the names that passes are free to choose, and without constants that nothing uses.
std::string plain_text(Module m) {
  for (Function& f : m.functions) {
    std::set<ValueId> fixed(f.inputs.begin(), f.inputs.end());
    fixed.insert(f.outputs.begin(), f.outputs.end());
    for (std::size_t v = 0; v < f.values.size(); ++v) {
      if (!fixed.count(static_cast<ValueId>(v))) f.values[v].name.clear();
      if (f.values[v].constant != kNone) f.values[v].name.clear();
      if (f.values[v].type.has_rank()) {
        for (Dim& d : *f.values[v].type.shape) {
          if (is_fresh_symbol(d.symbol_name())) d = Dim::symbol("late");
        }
      }
    }
    for (Node& n : f.nodes) {
      n.name = !n.outputs.empty() && n.outputs[0] != kNone ? f.values[at(n.outputs[0])].name : "";
    }
  }
  // Constants by first use.
  Module out = m;
  out.constants.clear();
  std::vector<ConstantId> index(m.constants.size(), kNone);
  auto meet = [&](Function& f, ValueId v) {
    if (v == kNone || f.values[at(v)].constant == kNone) return;
    ConstantId& to = index[at(f.values[at(v)].constant)];
    if (to == kNone) {
      to = static_cast<ConstantId>(out.constants.size());
      out.constants.push_back(m.constants[at(f.values[at(v)].constant)]);
      out.constants.back().name.clear();
    }
  };
  for (Function& f : out.functions) {
    for (const Node& n : f.nodes) {
      for (ValueId v : n.inputs) meet(f, v);
    }
    for (ValueId v : f.outputs) meet(f, v);
    for (Value& v : f.values) {
      if (v.constant != kNone) v.constant = std::max(index[at(v.constant)], 0);
    }
  }
  PrintOptions options;
  options.inline_elements = 64;
  return print(out, options);
}

Result<Tensor> tensor_of(const Constant& c, StringHeap& strings) {
  std::span<const std::byte> stored = c.stored();
  Tensor t(c.stored_dtype, c.stored_shape);
  if (c.encoding == Encoding::kStrings) return unsupported("strings");
  for (std::size_t i = 0; i < t.bytes.size(); ++i) {
    t.bytes[i] = stored[c.encoding == Encoding::kFill ? i % stored.size() : i];
  }
  for (const Transform& step : c.transforms) {
    Attrs attrs;
    const char* op = "";
    switch (step.kind) {
      case Transform::Kind::kReshape:
        t.shape = step.ints;
        continue;
      case Transform::Kind::kScale: {
        TensorView v = t.view();
        int axis = static_cast<int>(step.ints[0]);
        for (std::int64_t i = 0; i < v.count(); ++i) {
          store_f64(v, i, load_f64(v, i) * step.scale[static_cast<std::size_t>(i / v.strides[axis] % v.dims[axis])]);
        }
        continue;
      }
      case Transform::Kind::kCast:
        op = "cast";
        attrs.set("to", AttrValue(step.dtype));
        break;
      case Transform::Kind::kTranspose:
        op = "transpose";
        attrs.set("perm", AttrValue(step.ints));
        break;
    }
    MOTE_ASSIGN(std::vector<Item> made, run_op(*find_op(op), attrs, {Item::of(t)}, 1, strings));
    t = made[0].tensors[0];
  }
  return t;
}

// The outputs of function 0.
Result<std::vector<Item>> evaluate(const Module& m, const std::vector<Item>& inputs, StringHeap& strings) {
  const Function& f = m.functions[0];
  std::vector<Item> values(f.values.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) values[at(f.inputs[i])] = inputs[i];
  for (std::size_t v = 0; v < values.size(); ++v) {
    if (f.values[v].constant == kNone) continue;
    MOTE_ASSIGN(Tensor t, tensor_of(m.constants[at(f.values[v].constant)], strings));
    values[v] = Item::of(std::move(t));
  }
  for (const Node& n : f.nodes) {
    if (!n.bodies.empty() || n.op->is(kRandom)) return unsupported("bodies or random numbers");
    std::vector<Item> in;
    for (ValueId v : n.inputs) in.push_back(v == kNone ? Item() : values[at(v)]);
    Result<std::vector<Item>> out = run_op(*n.op, n.attrs, in, static_cast<int>(n.outputs.size()), strings);
    if (!out.ok()) return std::move(out).status().at("node '" + n.name + "'");
    for (std::size_t i = 0; i < n.outputs.size(); ++i) {
      if (n.outputs[i] != kNone) values[at(n.outputs[i])] = (*out)[i];
    }
  }
  std::vector<Item> outputs;
  for (ValueId v : f.outputs) outputs.push_back(values[at(v)]);
  return outputs;
}

// Random inputs of function 0, or nothing when they are not all tensors of known rank.
std::optional<std::vector<Item>> random_inputs(const Module& m) {
  std::mt19937 rng(7);
  std::vector<Item> out;
  for (ValueId v : m.functions[0].inputs) {
    const Type& t = m.functions[0].values[at(v)].type;
    if (!t.has_rank() || bits_of(t.dtype) < 8) return std::nullopt;
    std::vector<std::int64_t> shape;
    for (const Dim& d : *t.shape) {
      shape.push_back(d.evaluate([](std::string_view) { return std::optional<std::int64_t>(3); }).value_or(-1));
    }
    Tensor x(t.dtype, shape);
    TensorView view = x.view();
    for (std::int64_t i = 0; i < view.count(); ++i) {
      double u = std::uniform_real_distribution<double>(-2, 2)(rng);
      is_float(t.dtype) ? store_f64(view, i, u) : store_i64(view, i, t.dtype == DType::boolean ? u > 0 : 1);
    }
    out.push_back(Item::of(std::move(x)));
  }
  return out;
}

void compare(const std::vector<Item>& before, const std::vector<Item>& after) {
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    const Item &x = before[i], &y = after[i];
    ASSERT_EQ(x.tensors.size(), y.tensors.size());
    for (std::size_t k = 0; k < x.tensors.size(); ++k) {
      ASSERT_EQ(x.tensors[k].shape, y.tensors[k].shape);
      ASSERT_EQ(x.tensors[k].dtype, y.tensors[k].dtype);
      TensorView p = x.tensors[k].view(), q = y.tensors[k].view();
      double tolerance = bits_of(p.dtype) == 16 ? 2e-2 : 1e-4;
      for (std::int64_t e = 0; e < p.count(); ++e) {
        double u = load_f64(p, e), v = load_f64(q, e);
        ASSERT_TRUE(std::isnan(u) == std::isnan(v) && !(std::fabs(u - v) > tolerance * (1 + std::fabs(u))))
            << "output " << i << " element " << e << ": " << u << " before, " << v << " after";
      }
    }
  }
}

// Whether the references could run them.
bool expect_same_answers(const Module& before, const Module& after) {
  std::optional<std::vector<Item>> inputs = random_inputs(before);
  StringHeap strings;
  if (!inputs) return false;
  Result<std::vector<Item>> a = evaluate(before, *inputs, strings);
  if (!a.ok()) return false;
  Result<std::vector<Item>> b = evaluate(after, *inputs, strings);
  EXPECT_TRUE(b.ok()) << b.status().to_string();
  if (b.ok()) compare(*a, *b);
  return true;
}

// How many cases were run by references as well.
int evaluated = 0;

void run_case(const Pass& pass, const Case& c) {
  Module m = module_of(c.input);
  if (m.functions.empty()) return;
  for (const std::string& name : c.before) {
    PassOptions only;
    only.only = {name};
    ASSERT_EQ(run_passes(m, builtin_ops(), only).to_string(), "ok");
  }
  Module before = m;
  std::string text_before = plain_text(m);
  int changes = pass.run(m, builtin_ops());
  ASSERT_EQ(verify(m).to_string(), "ok") << print(m);
  std::string made = plain_text(m);
  Status inferred = Inference(m).run();
  ASSERT_EQ(inferred.to_string(), "ok") << print(m);
  if (expect_same_answers(before, m)) ++evaluated;
  if (c.stays) {
    EXPECT_EQ(changes, 0);
    EXPECT_EQ(made, text_before);
    return;
  }
  EXPECT_GT(changes, 0);
  EXPECT_EQ(plain_text(m), plain_text(module_of(c.expected)));
  EXPECT_EQ(pass.run(m, builtin_ops()), 0) << "the pass is not done after one run";
}

TEST(Passes, Cases) {
  int files = 0;
  for (const Pass& pass : all_passes()) {
    for (const auto& entry : std::filesystem::directory_iterator(MOTE_PASS_CASES)) {
      std::string stem = entry.path().stem().string();
      std::string bare = stem.substr(0, stem.find_last_not_of("0123456789_") + 1);
      if (entry.path().extension() != ".ir" || (stem != pass.name && bare != pass.name)) continue;
      ++files;
      for (const Case& c : read_cases(entry.path())) {
        SCOPED_TRACE(entry.path().filename().string() + ":" + std::to_string(c.line) + " " + c.name);
        run_case(pass, c);
      }
    }
  }
  EXPECT_GE(files, static_cast<int>(all_passes().size())) << "every pass has a file of cases";
  EXPECT_GE(evaluated, 50);
}

TEST(Passes, Options) {
  Module m = module_of("func @f(%x: f32[2]) -> (%y) {\n %a = identity(%x)\n %b = add(%a, %a)\n %y = identity(%b)\n}");
  PassOptions options;
  std::vector<std::string> heard;
  options.report = [&](std::string_view name, int) { heard.emplace_back(name); };
  options.off = {"simplify"};
  EXPECT_TRUE(run_passes(m, builtin_ops(), options).ok());
  EXPECT_EQ(m.functions[0].nodes.size(), 3u);
  options.off = {};
  EXPECT_TRUE(run_passes(m, builtin_ops(), options).ok());
  EXPECT_EQ(m.functions[0].nodes.size(), 1u);
  EXPECT_EQ(heard, std::vector<std::string>{"simplify"});
  options.off = {"nonsense"};
  EXPECT_FALSE(run_passes(m, builtin_ops(), options).ok());
}

}  // namespace
}  // namespace mote::testing
