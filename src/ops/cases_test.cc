// Runs tests/ops/*.case (and, with MOTE_OP_CASES set, the *.case files of that folder instead). A case is
//   case NAME
//   op NAME ATTR=VALUE ...            values as in ir/attr.h
//   in TYPE VALUES... | in - | in list TYPE VALUES... ; TYPE VALUES... | in optional [TYPE VALUES...]   one per input
//   out TYPE VALUES... | out TYPE ? | out list ... | out -                 one line per output; ?: any values
//   error TEXT                        instead of outputs: the run fails and says TEXT
//   infer TYPE [= DIMS...] | infer -  inputs of a symbolic inference, with known values
//   gives TYPE [= DIMS...]            what it infers for each output
//   refused TEXT                      or the error it gives
//   tol RELATIVE ABSOLUTE
// Values: numbers, nan, inf, true/false, "strings"; `seed N` for reproducible ones, `iota`, `fill X`.
// Besides the outputs a case checks: inference with static shapes agrees with the run; with the values of shape
// operands it gives exactly the run's shapes; and the op's decomposition gives the reference's answer.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "ir/text.h"
#include "ops/decompose.h"
#include "ops/element.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/testing.h"

namespace mote::testing {
namespace {

struct Symbolic {
  std::vector<std::optional<Type>> inputs, outputs;
  std::vector<std::optional<KnownValue>> input_values, output_values;
  std::string refused;
};

struct Case {
  std::string name, op, error;
  int line = 0;
  Attrs attrs;
  std::vector<Item> inputs, outputs;
  std::vector<bool> any;  // outputs whose values are free
  std::vector<Symbolic> symbolic;
  double rtol = 1e-5, atol = 1e-6;
};

// Words separated by blanks; a quoted string or a bracketed list is one word.
std::vector<std::string> words(const std::string& line) {
  std::vector<std::string> out;
  std::string word;
  bool quoted = false, any = false;
  int depth = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    char c = line[i];
    if (quoted && c == '\\' && i + 1 < line.size()) {
      word += c;
      word += line[++i];
      continue;
    }
    if (c == '"') quoted = !quoted, any = true;
    if (!quoted) depth += (c == '[' || c == '(') - (c == ']' || c == ')');
    if (!quoted && depth == 0 && std::isspace(static_cast<unsigned char>(c))) {
      if (any || !word.empty()) out.push_back(word);
      word.clear();
      any = false;
    } else {
      word += c;
    }
  }
  if (any || !word.empty()) out.push_back(word);
  return out;
}

double number(const std::string& w) {
  if (w == "true") return 1;
  if (w == "false") return 0;
  char* end = nullptr;
  double x = std::strtod(w.c_str(), &end);
  EXPECT_TRUE(end != w.c_str() && *end == 0) << "'" << w << "' is not a number";
  return x;
}

void set(const Tensor& t, std::int64_t i, const std::string& w, StringHeap& strings) {
  TensorView v = t.view();
  if (t.dtype == DType::string) {
    Result<AttrValue> s = parse_attr(w);
    ASSERT_TRUE(s.ok() && std::holds_alternative<std::string>(*s)) << w;
    v.as<StringRef>()[i] = strings.add(std::get<std::string>(*s));
  } else if (t.dtype == DType::u64) {
    v.as<std::uint64_t>()[i] = std::strtoull(w.c_str(), nullptr, 10);
  } else if (is_int(t.dtype)) {
    store_i64(v, i, std::strtoll(w.c_str(), nullptr, 10));
  } else if (t.dtype == DType::c64) {
    v.as<float>()[i] = static_cast<float>(number(w));
  } else if (is_float(t.dtype) && bits_of(t.dtype) <= 8) {
    store_small_float(v, i, number(w), false);
  } else {
    store_f64(v, i, number(w));
  }
}

Tensor tensor_of(const std::vector<std::string>& w, std::size_t begin, std::size_t end, StringHeap& strings) {
  Result<Type> type = parse_type(w[begin]);
  EXPECT_TRUE(type.ok()) << w[begin];
  if (!type.ok()) return {};
  std::optional<std::vector<std::int64_t>> shape = constant_extents(*type->shape);
  EXPECT_TRUE(shape) << w[begin];
  Tensor t(type->dtype, shape.value_or(std::vector<std::int64_t>{0}));
  std::int64_t n = t.view().count();
  if (begin + 1 < end && (w[begin + 1] == "seed" || w[begin + 1] == "iota" || w[begin + 1] == "fill")) {
    std::mt19937 gen(w[begin + 1] == "seed" ? static_cast<unsigned>(std::stoi(w[begin + 2])) : 0);
    for (std::int64_t i = 0; i < n; ++i) {
      double x = 4.0 * (gen() / 4294967296.0) - 2;
      if (is_int(t.dtype)) x = std::floor(x * 4) + (is_unsigned_int(t.dtype) ? 8 : 0);
      if (t.dtype == DType::boolean) x = x > 0;
      if (w[begin + 1] == "iota") x = static_cast<double>(i);
      if (w[begin + 1] == "fill") x = number(w[begin + 2]);
      store_f64(t.view(), i, x);
    }
    return t;
  }
  EXPECT_EQ(static_cast<std::int64_t>(end - begin - 1), n * (t.dtype == DType::c64 ? 2 : 1))
      << "values of " << w[begin];
  for (std::int64_t i = 0; i + begin + 1 < end; ++i) set(t, i, w[begin + 1 + static_cast<std::size_t>(i)], strings);
  return t;
}

Item item_of(const std::vector<std::string>& w, StringHeap& strings) {
  if (w[1] == "-") return {};
  if (w[1] != "list" && w[1] != "optional") return Item::of(tensor_of(w, 1, w.size(), strings));
  Item item = Item::list({});
  item.is_optional = w[1] == "optional";
  for (std::size_t i = 2; i < w.size();) {
    std::size_t end = i;
    while (end < w.size() && w[end] != ";") ++end;
    item.tensors.push_back(tensor_of(w, i, end, strings));
    i = end + 1;
  }
  return item;
}

void symbolic_of(const std::vector<std::string>& w, std::vector<std::optional<Type>>& types,
                 std::vector<std::optional<KnownValue>>& values) {
  values.emplace_back();
  if (w[1] == "-") return types.push_back(std::nullopt);
  Result<Type> type = parse_type(w[1]);
  EXPECT_TRUE(type.ok()) << w[1];
  types.push_back(type.ok() ? *type : Type());
  if (w.size() < 3 || w[2] != "=") return;
  values.back() = KnownValue();
  for (std::size_t i = 3; i < w.size(); ++i) {
    Result<Dim> d = Dim::parse(w[i]);
    EXPECT_TRUE(d.ok()) << w[i];
    if (d.ok()) values.back()->push_back(*d);
  }
}

std::vector<Case> read_cases(const std::filesystem::path& path, StringHeap& strings) {
  std::vector<Case> cases;
  std::ifstream file(path);
  std::string line;
  for (int n = 1; std::getline(file, line); ++n) {
    SCOPED_TRACE(path.filename().string() + ":" + std::to_string(n));
    std::vector<std::string> w = words(line);
    if (w.empty() || w[0][0] == '#') continue;
    auto rest = [&] { return line.substr(line.find(w[0]) + w[0].size() + 1); };
    if (w[0] == "case") {
      cases.emplace_back();
      cases.back().name = w[1];
      cases.back().line = n;
      continue;
    }
    if (cases.empty() || w.size() < 2) {
      ADD_FAILURE() << "malformed line";
      continue;
    }
    Case& c = cases.back();
    if (w[0] == "op") {
      c.op = w[1];
      for (std::size_t i = 2; i < w.size(); ++i) {
        std::size_t eq = w[i].find('=');
        Result<AttrValue> v = parse_attr(w[i].substr(eq + 1));
        EXPECT_TRUE(v.ok()) << w[i];
        if (v.ok()) c.attrs.set(w[i].substr(0, eq), *v);
      }
    } else if (w[0] == "in") {
      c.inputs.push_back(item_of(w, strings));
    } else if (w[0] == "out") {
      c.any.push_back(w.size() > 2 && w[2] == "?");
      if (c.any.back()) w = {w[0], w[1], "fill", "0"};
      c.outputs.push_back(item_of(w, strings));
    } else if (w[0] == "error") {
      c.error = rest();
    } else if (w[0] == "tol") {
      c.rtol = number(w[1]);
      c.atol = number(w[2]);
    } else if (w[0] == "infer") {
      if (c.symbolic.empty() || !c.symbolic.back().outputs.empty() || !c.symbolic.back().refused.empty())
        c.symbolic.emplace_back();
      symbolic_of(w, c.symbolic.back().inputs, c.symbolic.back().input_values);
    } else if (w[0] == "gives" && !c.symbolic.empty()) {
      symbolic_of(w, c.symbolic.back().outputs, c.symbolic.back().output_values);
    } else if (w[0] == "refused" && !c.symbolic.empty()) {
      c.symbolic.back().refused = rest();
    } else {
      ADD_FAILURE() << "unknown line '" << w[0] << "'";
    }
  }
  return cases;
}

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
  const char* folder = std::getenv("MOTE_OP_CASES");
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder ? folder : MOTE_OP_CASES)) {
    if (entry.path().extension() == ".case") files.push_back(entry.path());
  }
  ASSERT_FALSE(files.empty());
  std::sort(files.begin(), files.end());
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
