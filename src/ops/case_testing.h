// The files tests/ops/*.case: ops with their inputs and what comes of them. A case is
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
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "ir/infer.h"
#include "ir/text.h"
#include "ops/element.h"
#include "ops/testing.h"

namespace mote::testing {

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
inline std::vector<std::string> words(const std::string& line) {
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

inline double number(const std::string& w) {
  if (w == "true") return 1;
  if (w == "false") return 0;
  char* end = nullptr;
  double x = std::strtod(w.c_str(), &end);
  EXPECT_TRUE(end != w.c_str() && *end == 0) << "'" << w << "' is not a number";
  return x;
}

inline void set(const Tensor& t, std::int64_t i, const std::string& w, StringHeap& strings) {
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

inline Tensor tensor_of(const std::vector<std::string>& w, std::size_t begin, std::size_t end, StringHeap& strings) {
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

inline Item item_of(const std::vector<std::string>& w, StringHeap& strings) {
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

inline void symbolic_of(const std::vector<std::string>& w, std::vector<std::optional<Type>>& types,
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

inline std::vector<Case> read_cases(const std::filesystem::path& path, StringHeap& strings) {
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

// All of the folder MOTE_OP_CASES, or of the one that the environment variable of this name says, in order.
inline std::vector<std::filesystem::path> case_files(const char* otherwise) {
  const char* folder = std::getenv("MOTE_OP_CASES");
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder ? folder : otherwise)) {
    if (entry.path().extension() == ".case") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace mote::testing
