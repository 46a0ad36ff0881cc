#include "ir/attr.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "ir/op.h"

namespace mote {
std::string quote(std::string_view s) {
  std::string out = "\"";
  for (char c : s) {
    unsigned char u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (u < 32 || u == 127) {
      constexpr char hex[] = "0123456789abcdef";
      out += "\\x";
      out += hex[u >> 4];
      out += hex[u & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::optional<std::string> unquote(std::string_view t) {
  if (t.size() < 2 || t.front() != '"' || t.back() != '"') return std::nullopt;
  std::string out;
  auto hex = [](char c) { return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= '0' && c <= '9' ? c - '0' : -1; };
  for (std::size_t i = 1; i + 1 < t.size(); ++i) {
    if (t[i] == '"') return std::nullopt;
    if (t[i] != '\\') {
      out += t[i];
      continue;
    }
    if (++i + 1 >= t.size()) return std::nullopt;
    if (t[i] != 'x') {
      out += t[i];
      continue;
    }
    if (i + 3 >= t.size() || hex(t[i + 1]) < 0 || hex(t[i + 2]) < 0) return std::nullopt;
    out += static_cast<char>(hex(t[i + 1]) * 16 + hex(t[i + 2]));
    i += 2;
  }
  return out;
}

namespace {

std::string print_float(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v > 0 ? "inf" : "-inf";
  char buf[40];
  auto end = std::to_chars(buf, buf + sizeof buf, v).ptr;
  std::string s(buf, end);
  return s.find_first_of(".e") == std::string::npos ? s + ".0" : s;
}

template <class T, class Print>
std::string print_list(const char* kind, const std::vector<T>& v, Print print) {
  if (v.empty()) return std::string(kind) + ":[]";
  std::string s = "[";
  for (std::size_t i = 0; i < v.size(); ++i) s += (i ? "," : "") + print(v[i]);
  return s + "]";
}

std::optional<AttrValue> parse_scalar(std::string_view t) {
  if (t.starts_with('"')) {
    if (auto s = unquote(t)) return AttrValue(*s);
    return std::nullopt;
  }
  if (t.starts_with("dtype:")) {
    if (auto d = dtype_of(t.substr(6))) return AttrValue(*d);
    return std::nullopt;
  }
  if (t == "nan") return AttrValue(std::nan(""));
  if (t == "inf" || t == "-inf") return AttrValue(t[0] == '-' ? -HUGE_VAL : HUGE_VAL);
  const char *b = t.data(), *e = t.data() + t.size();
  std::int64_t i = 0;
  if (auto r = std::from_chars(b, e, i); r.ec == std::errc() && r.ptr == e) return AttrValue(i);
  double d = 0;
  if (auto r = std::from_chars(b, e, d); r.ec == std::errc() && r.ptr == e) return AttrValue(d);
  return std::nullopt;
}

std::vector<std::string_view> split_list(std::string_view body) {
  std::vector<std::string_view> parts;
  std::size_t start = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (quoted && body[i] == '\\') {
      ++i;
    } else if (body[i] == '"') {
      quoted = !quoted;
    } else if (body[i] == ',' && !quoted) {
      parts.push_back(body.substr(start, i - start));
      start = i + 1;
    }
  }
  parts.push_back(body.substr(start));
  return parts;
}

}  // namespace

std::string_view name_of(AttrKind kind) {
  constexpr std::string_view names[] = {"int", "float", "string", "ints", "floats", "strings", "dtype"};
  return names[static_cast<int>(kind)];
}

std::string to_string(const AttrValue& v) {
  auto print_int = [](std::int64_t i) { return std::to_string(i); };
  switch (kind_of(v)) {
    case AttrKind::kInt:
      return print_int(std::get<std::int64_t>(v));
    case AttrKind::kFloat:
      return print_float(std::get<double>(v));
    case AttrKind::kString:
      return quote(std::get<std::string>(v));
    case AttrKind::kInts:
      return print_list("ints", std::get<std::vector<std::int64_t>>(v), print_int);
    case AttrKind::kFloats:
      return print_list("floats", std::get<std::vector<double>>(v), print_float);
    case AttrKind::kStrings:
      return print_list("strings", std::get<std::vector<std::string>>(v), quote);
    case AttrKind::kDType:
      return "dtype:" + std::string(name_of(std::get<DType>(v)));
  }
  return {};
}

Result<AttrValue> parse_attr(std::string_view text) {
  auto bad = [&] { return invalid("attribute value '" + std::string(text.substr(0, 80)) + "' is malformed"); };
  if (text == "ints:[]") return AttrValue(std::vector<std::int64_t>());
  if (text == "floats:[]") return AttrValue(std::vector<double>());
  if (text == "strings:[]") return AttrValue(std::vector<std::string>());
  if (!text.starts_with('[')) {
    if (auto v = parse_scalar(text)) return *std::move(v);
    return bad();
  }
  if (!text.ends_with(']') || text.size() < 3) return bad();
  std::vector<AttrValue> parts;
  for (std::string_view p : split_list(text.substr(1, text.size() - 2))) {
    auto v = parse_scalar(p);
    if (!v || (!parts.empty() && v->index() != parts[0].index())) return bad();
    parts.push_back(*std::move(v));
  }
  auto gather = [&]<class T>(T) -> AttrValue {
    std::vector<T> out;
    for (AttrValue& p : parts) out.push_back(std::move(std::get<T>(p)));
    return AttrValue(std::move(out));
  };
  switch (kind_of(parts[0])) {
    case AttrKind::kInt:
      return gather(std::int64_t());
    case AttrKind::kFloat:
      return gather(double());
    case AttrKind::kString:
      return gather(std::string());
    default:
      return bad();
  }
}

void Attrs::set(std::string_view name, AttrValue value) {
  auto it = std::lower_bound(items_.begin(), items_.end(), name,
                             [](const Item& a, std::string_view n) { return a.first < n; });
  if (it != items_.end() && it->first == name) {
    it->second = std::move(value);
  } else {
    items_.insert(it, Item(std::string(name), std::move(value)));
  }
}

void Attrs::erase(std::string_view name) {
  std::erase_if(items_, [&](const Item& i) { return i.first == name; });
}

const AttrValue* Attrs::find(std::string_view name) const {
  auto it = std::lower_bound(items_.begin(), items_.end(), name,
                             [](const Item& a, std::string_view n) { return a.first < n; });
  return it != items_.end() && it->first == name ? &it->second : nullptr;
}

namespace {

template <class T>
T get_attr(const Op& op, const Attrs& attrs, std::string_view name) {
  if (const AttrValue* v = attrs.find(name)) {
    if (const T* t = std::get_if<T>(v)) return *t;
  }
  if (const AttrSpec* spec = op.attr(name); spec && !spec->default_text.empty()) {
    if (auto v = parse_attr(spec->default_text); v.ok()) {
      if (const T* t = std::get_if<T>(&*v)) return *t;
    }
  }
  return T();
}

}  // namespace

std::int64_t attr_int(const Op& op, const Attrs& a, std::string_view n) { return get_attr<std::int64_t>(op, a, n); }
double attr_float(const Op& op, const Attrs& a, std::string_view n) { return get_attr<double>(op, a, n); }
std::string attr_string(const Op& op, const Attrs& a, std::string_view n) { return get_attr<std::string>(op, a, n); }
std::vector<std::int64_t> attr_ints(const Op& op, const Attrs& a, std::string_view n) {
  return get_attr<std::vector<std::int64_t>>(op, a, n);
}
std::vector<double> attr_floats(const Op& op, const Attrs& a, std::string_view n) {
  return get_attr<std::vector<double>>(op, a, n);
}
std::vector<std::string> attr_strings(const Op& op, const Attrs& a, std::string_view n) {
  return get_attr<std::vector<std::string>>(op, a, n);
}
DType attr_dtype(const Op& op, const Attrs& a, std::string_view n) { return get_attr<DType>(op, a, n); }

}  // namespace mote
