#include <map>
#include <unordered_map>

#include "ir/elements.h"
#include "ir/text.h"

namespace mote {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

bool is_bare(std::string_view s) {
  for (char c : s) {
    bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
              c == '/' || c == '$';
    if (!ok) return false;
  }
  return true;
}

std::string bare_or_quoted(std::string_view s) { return is_bare(s) && !s.empty() ? std::string(s) : quote(s); }

// Gives names out as they appear: "%x", "%\"a b\"", "%x#2", "%#1".
class Tokens {
 public:
  explicit Tokens(char sigil) : sigil_(sigil) {}
  std::string make(const std::string& name) {
    int k = ++seen_[name];
    std::string token(1, sigil_);
    if (!name.empty()) token += is_bare(name) ? name : quote(name);
    return name.empty() || k > 1 ? token + "#" + std::to_string(k) : token;
  }

 private:
  char sigil_;
  std::unordered_map<std::string, int> seen_;
};

bool is_unknown(const Type& t) { return t.is_tensor() && t.dtype == DType::none && !t.shape; }

class Printer {
 public:
  Printer(const Module& m, const PrintOptions& options) : m_(m), options_(options) {
    Tokens constants('@'), functions('@');
    for (const Constant& c : m.constants) {
      std::string literal = c.name.empty() ? literal_of(c) : "";
      literal_.push_back(!literal.empty());
      constant_tokens_.push_back(literal.empty() ? constants.make(c.name) : std::move(literal));
    }
    for (const Function& f : m.functions) function_tokens_.push_back(functions.make(f.name));
  }

  std::string module() {
    if (!m_.name.empty()) out_ += "module " + quote(m_.name) + "\n";
    for (const Symbol& s : m_.symbols) {
      out_ += "symbol " + bare_or_quoted(s.name) + " = " + std::to_string(s.min) + ".." + std::to_string(s.max) + "\n";
    }
    for (const auto& [key, value] : m_.metadata) out_ += "meta " + quote(key) + " = " + quote(value) + "\n";
    for (std::size_t c = 0; c < m_.constants.size(); ++c) {
      if (!literal_[c]) constant(m_.constants[c], constant_tokens_[c]);
    }
    for (const Signature& s : m_.signatures) signature(s);
    for (std::size_t f = 0; f < m_.functions.size(); ++f) function(static_cast<FunctionId>(f));
    return std::move(out_);
  }

  std::string only(FunctionId f) {
    function(f);
    return std::move(out_);
  }

 private:
  std::string literal_of(const Constant& c) const {
    if (c.encoding != Encoding::kPlain || !c.transforms.empty() || !c.type.is_static()) return {};
    std::optional<std::string> values = elements_text(c, options_.inline_elements);
    if (!values) return {};
    std::string type = c.type.rank() == 0 ? std::string(name_of(c.type.dtype)) : c.type.to_string();
    return type + "(" + *values + ")";
  }

  void constant(const Constant& c, const std::string& token) {
    Type stored = Type::tensor(c.stored_dtype, Shape(c.stored_shape.begin(), c.stored_shape.end()));
    bool same = c.transforms.empty() && stored == c.type;
    out_ += "const " + token + ": " + c.type.to_string() + (same ? "" : " from " + stored.to_string()) + " = ";
    Encoding usual = c.stored_dtype == DType::string ? Encoding::kStrings : Encoding::kPlain;
    constexpr const char* encodings[] = {"plain ", "strings ", "fill "};
    if (c.encoding != usual) out_ += encodings[static_cast<int>(c.encoding)];
    if (std::optional<std::string> values = elements_text(c, options_.inline_elements)) {
      out_ += "[" + *values + "]";
    } else if (c.source && !c.source->name.empty() && c.size > options_.hex_bytes) {
      out_ += "external " + quote(c.source->name) + " " + std::to_string(c.offset) + " " + std::to_string(c.size);
    } else {
      out_ += "hex \"" + (c.source ? hex_text(c.stored()) : std::string()) + "\"";
    }
    for (const Transform& t : c.transforms) {
      switch (t.kind) {
        case Transform::Kind::kTranspose:
          out_ += " transpose " + to_string(AttrValue(t.ints));
          break;
        case Transform::Kind::kReshape:
          out_ += " reshape " + to_string(AttrValue(t.ints));
          break;
        case Transform::Kind::kScale:
          out_ += " scale " + to_string(AttrValue(t.ints)) + " " + to_string(AttrValue(t.scale));
          break;
        case Transform::Kind::kCast:
          out_ += " cast " + std::string(name_of(t.dtype));
          break;
      }
    }
    out_ += "\n";
  }

  void signature(const Signature& s) {
    out_ += "signature " + quote(s.name) + " = " + function_tokens_[at(s.function)];
    if (!s.states.empty()) {
      out_ += " {\n";
      for (const State& t : s.states) {
        out_ += "  state " + quote(t.name) + " = input " + std::to_string(t.input) + ", output " +
                std::to_string(t.output) + "\n";
      }
      out_ += "}";
    }
    out_ += "\n";
  }

  void function(FunctionId id) {
    const Function& f = m_.functions[at(id)];
    Tokens names('%');
    std::vector<std::string> tokens(f.values.size());
    std::string lets;
    // Values of constants have no name of their own, unless they differ from the constant's.
    std::vector<bool> named(m_.constants.size(), false);
    auto meet = [&](ValueId v) {
      if (v == kNone || !tokens[at(v)].empty()) return;
      const Value& value = f.values[at(v)];
      if (value.constant == kNone || value.name != m_.constants[at(value.constant)].name || named[at(value.constant)]) {
        tokens[at(v)] = names.make(value.name);
        if (value.constant != kNone) {
          lets += "  let " + tokens[at(v)] + " = " + constant_tokens_[at(value.constant)] + "\n";
        }
      } else {
        named[at(value.constant)] = true;
        tokens[at(v)] = constant_tokens_[at(value.constant)];
      }
    };
    for (ValueId v : f.inputs) meet(v);
    for (const Node& n : f.nodes) {
      for (ValueId v : n.inputs) meet(v);
      for (ValueId v : n.outputs) meet(v);
    }
    for (ValueId v : f.outputs) meet(v);
    auto typed = [&](ValueId v) {
      const Type& t = f.values[at(v)].type;
      return tokens[at(v)] + (is_unknown(t) ? "" : ": " + t.to_string());
    };
    out_ += "func " + function_tokens_[at(id)] + "(" + list(f.inputs, typed) + ") -> (" +
            list(f.outputs, [&](ValueId v) { return tokens[at(v)]; }) + ") {\n" + lets;
    for (const Node& n : f.nodes) {
      out_ += "  ";
      if (!n.outputs.empty()) out_ += list(n.outputs, typed) + " = ";
      out_ += n.op ? bare_or_quoted(n.op->name) : quote("");
      if (n.op && n.op->version != 1) out_ += ":" + std::to_string(n.op->version);
      out_ += "(" + list(n.inputs, [&](ValueId v) { return tokens[at(v)]; }) + ")";
      tail(f, n);
    }
    out_ += "}\n";
  }

  void tail(const Function& f, const Node& n) {
    if (!n.attrs.items().empty()) {
      std::string attrs;
      for (const auto& [name, value] : n.attrs.items()) {
        attrs += (attrs.empty() ? "" : ", ") + bare_or_quoted(name) + "=" + to_string(value);
      }
      out_ += " {" + attrs + "}";
    }
    if (!n.bodies.empty()) {
      std::string bodies;
      for (FunctionId b : n.bodies) bodies += (bodies.empty() ? "" : ", ") + function_tokens_[at(b)];
      out_ += " [" + bodies + "]";
    }
    bool named_by_output = !n.outputs.empty() && n.outputs[0] != kNone && f.values[at(n.outputs[0])].name == n.name;
    if (!named_by_output) out_ += " " + quote(n.name);
    out_ += "\n";
  }

  template <class Text>
  static std::string list(const std::vector<ValueId>& values, const Text& text) {
    std::string s;
    bool first = true;
    for (ValueId v : values) {
      s += (first ? "" : ", ") + (v == kNone ? std::string("_") : text(v));
      first = false;
    }
    return s;
  }

  const Module& m_;
  const PrintOptions& options_;
  std::vector<std::string> constant_tokens_, function_tokens_;
  std::vector<bool> literal_;
  std::string out_;
};

}  // namespace

std::string print(const Module& module, const PrintOptions& options) { return Printer(module, options).module(); }

std::string print_function(const Module& module, FunctionId function, const PrintOptions& options) {
  return Printer(module, options).only(function);
}

}  // namespace mote
