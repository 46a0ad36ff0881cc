#include <unordered_map>

#include "base/checked.h"
#include "ir/cursor.h"
#include "ir/elements.h"
#include "ir/text.h"

namespace mote {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

class Parser {
 public:
  Parser(std::string_view text, const OpLookup& ops, const TextOptions& options)
      : in_(text), ops_(ops), options_(options) {}

  Result<Module> run() {
    while (!in_.done()) statement();
    if (in_.failed()) return in_.status();
    for (const Call& call : calls_) {
      auto it = function_ids_.find(call.token);
      if (it == function_ids_.end()) return invalid("no function " + call.token).at("function " + quoted(call.caller));
      (call.signature ? m_.signatures[call.index].function
                      : m_.functions[at(call.function)].nodes[call.index].bodies[call.body]) = it->second;
    }
    return std::move(m_);
  }

 private:
  // A reference to a function, which may stand before it in the text.
  struct Call {
    std::string token, caller;
    bool signature;
    FunctionId function;
    std::size_t index, body;
  };

  void statement() {
    if (in_.take_word("module")) {
      m_.name = in_.string();
    } else if (in_.take_word("symbol")) {
      symbol();
    } else if (in_.take_word("meta")) {
      std::string key = in_.string();
      in_.expect("=");
      m_.metadata.emplace_back(std::move(key), in_.string());
    } else if (in_.take_word("const")) {
      constant();
    } else if (in_.take_word("signature")) {
      signature();
    } else if (in_.take_word("func")) {
      function();
    } else {
      in_.fail_here("expected module, symbol, meta, const, signature or func");
    }
  }

  void count(std::size_t n = 1) {
    if ((items_ += n) > options_.max_items) {
      in_.fail(Status(Code::kResourceExhausted, "the text has more than " + std::to_string(options_.max_items) +
                                                    " nodes, values and attributes"));
    }
  }

  void symbol() {
    count();
    Symbol s{in_.name("a symbol")};
    in_.expect("=");
    s.min = in_.integer();
    in_.expect("..");
    s.max = in_.integer();
    m_.symbols.push_back(std::move(s));
  }

  // A name after its sigil, as its canonical token and as the bare name: %x, %"x", %x#2, %#1.
  struct Token {
    std::string key, name;
  };
  Token token(char sigil) {
    in_.expect(std::string_view(&sigil, 1));
    Token t;
    if (in_.peek() != '#') t.name = in_.name("a name");
    t.key = t.name;
    std::int64_t k = 1;
    if (in_.take("#")) k = in_.integer();
    t.key += "#" + std::to_string(k);
    return t;
  }

  Type type() {
    Result<Type> t = parse_type(in_.balanced(",)={"));
    if (t.ok()) {
      count(t->has_rank() ? t->shape->size() : 1);
      return *std::move(t);
    }
    in_.fail(std::move(t).status());
    return {};
  }

  std::vector<std::int64_t> ints() {
    Result<AttrValue> v = parse_attr(in_.balanced(""));
    if (v.ok() && kind_of(*v) == AttrKind::kInts) return std::get<std::vector<std::int64_t>>(*v);
    in_.fail("expected a list of integers");
    return {};
  }

  std::vector<double> floats() {
    Result<AttrValue> v = parse_attr(in_.balanced(""));
    if (v.ok() && kind_of(*v) == AttrKind::kFloats) return std::get<std::vector<double>>(*v);
    in_.fail("expected a list of floats");
    return {};
  }

  // Elements between `open` and `close`; how many there are.
  std::int64_t elements(DType dtype, std::string_view close, std::vector<std::byte>& bytes) {
    std::int64_t n = 0;
    if (in_.take(close)) return 0;
    do {
      std::string text = in_.balanced("," + std::string(close));
      if (!in_.failed() && !append_element(text, dtype, bytes)) {
        in_.fail(quoted(text) + " is not an element of type " + std::string(name_of(dtype)));
      }
      count();
      ++n;
    } while (!in_.failed() && in_.take(","));
    in_.expect(close);
    return n;
  }

  void own(Constant& c, std::vector<std::byte> bytes) {
    c.size = bytes.size();
    c.source = std::make_shared<BufferSource>(std::move(bytes));
  }

  void payload(Constant& c) {
    if (in_.take_word("hex")) {
      std::optional<std::vector<std::byte>> bytes = parse_hex(in_.string());
      if (!bytes) in_.fail("hex needs an even number of digits 0-9 and a-f");
      if (!in_.failed()) own(c, *std::move(bytes));
    } else if (in_.take_word("external")) {
      external(c);
    } else {
      in_.expect("[");
      std::vector<std::byte> bytes;
      std::int64_t n = elements(c.stored_dtype, "]", bytes);
      std::int64_t wanted = c.encoding == Encoding::kFill ? 1 : element_count(c.stored_shape).value_or(-1);
      if (!in_.failed() && n != wanted) {
        in_.fail(std::to_string(n) + " elements where the shape has " + std::to_string(wanted));
      }
      own(c, std::move(bytes));
    }
  }

  void external(Constant& c) {
    std::string name = in_.string();
    std::int64_t offset = in_.integer(), size = in_.integer();
    if (in_.failed()) return;
    if (!options_.source) return in_.fail("constant lies in " + quoted(name) + ", and nothing gives its bytes");
    Result<std::shared_ptr<const Source>> source = options_.source(name);
    if (!source.ok()) return in_.fail(std::move(source).status());
    std::uint64_t length = (*source)->bytes().size(), from = static_cast<std::uint64_t>(offset);
    if (offset < 0 || size < 0 || from > length || static_cast<std::uint64_t>(size) > length - from) {
      return in_.fail("constant ends behind the " + std::to_string(length) + " bytes of " + quoted(name));
    }
    c.source = *std::move(source);
    c.offset = static_cast<std::size_t>(offset);
    c.size = static_cast<std::size_t>(size);
  }

  void constant() {
    count();
    Token t = token('@');
    Constant c;
    c.name = t.name;
    in_.expect(":");
    c.type = type();
    Type stored = in_.take_word("from") ? type() : c.type;
    if (!in_.failed() && (!c.type.is_static() || !stored.is_static())) {
      in_.fail("the type of a constant has to be a static tensor");
    }
    if (in_.failed()) return;
    c.stored_dtype = stored.dtype;
    c.stored_shape = *constant_extents(*stored.shape);
    c.encoding = c.stored_dtype == DType::string ? Encoding::kStrings : Encoding::kPlain;
    in_.expect("=");
    if (in_.take_word("fill")) c.encoding = Encoding::kFill;
    if (in_.take_word("strings")) c.encoding = Encoding::kStrings;
    if (in_.take_word("plain")) c.encoding = Encoding::kPlain;
    payload(c);
    for (;;) {
      if (in_.take_word("transpose")) {
        c.transforms.push_back({Transform::Kind::kTranspose, ints()});
      } else if (in_.take_word("reshape")) {
        c.transforms.push_back({Transform::Kind::kReshape, ints()});
      } else if (in_.take_word("scale")) {
        std::vector<std::int64_t> axis = ints();
        c.transforms.push_back({Transform::Kind::kScale, std::move(axis), DType::none, floats()});
      } else if (in_.take_word("cast")) {
        std::optional<DType> d = dtype_of(in_.name("a dtype"));
        if (!d) in_.fail("not a dtype");
        c.transforms.push_back({Transform::Kind::kCast, {}, d.value_or(DType::none)});
      } else {
        break;
      }
      count();
    }
    if (in_.failed()) return;
    if (!constant_ids_.emplace(t.key, m_.constants.size()).second) return in_.fail("a second constant @" + t.key);
    m_.add_constant(std::move(c));
  }

  void signature() {
    count();
    Signature s{in_.string(), 0, {}};
    in_.expect("=");
    calls_.push_back({token('@').key, s.name, true, 0, m_.signatures.size(), 0});
    if (in_.take("{")) {
      while (!in_.failed() && !in_.take("}")) {
        if (!in_.take_word("state")) return in_.fail_here("expected state");
        count();
        State state{in_.string(), 0, 0};
        in_.expect("=");
        if (!in_.take_word("input")) in_.fail_here("expected input");
        state.input = position();
        in_.expect(",");
        if (!in_.take_word("output")) in_.fail_here("expected output");
        state.output = position();
        s.states.push_back(std::move(state));
      }
    }
    m_.signatures.push_back(std::move(s));
  }

  std::int32_t position() {
    std::int64_t v = in_.integer();
    if (v < 0 || v > INT32_MAX) in_.fail("not a position");
    return static_cast<std::int32_t>(v);
  }

  void function() {
    Token t = token('@');
    f_ = Function();
    f_.name = t.name;
    values_.clear();
    constant_values_.clear();
    in_.expect("(");
    for (bool more = !in_.take(")"); more && !in_.failed(); in_.expect(more ? "," : ")")) {
      f_.inputs.push_back(new_value());
      more = in_.peek() == ',';
    }
    in_.expect("->");
    in_.expect("(");
    std::vector<std::string> keys;  // of outputs that the body makes; the others are there already
    for (bool more = !in_.take(")"); more && !in_.failed(); in_.expect(more ? "," : ")")) {
      keys.push_back(in_.peek() == '%' ? token('%').key : std::string());
      f_.outputs.push_back(keys.back().empty() ? operand() : kNone);
      more = in_.peek() == ',';
    }
    in_.expect("{");
    while (!in_.failed() && !in_.take("}")) line();
    if (in_.failed()) return;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (keys[i].empty()) continue;
      auto it = values_.find(keys[i]);
      if (it == values_.end()) return in_.fail("the function has no value %" + keys[i] + " to return");
      f_.outputs[i] = it->second;
    }
    FunctionId id = static_cast<FunctionId>(m_.functions.size());
    if (!function_ids_.emplace(t.key, id).second) return in_.fail("a second function @" + t.key);
    m_.functions.push_back(std::move(f_));
  }

  ValueId new_value() {
    count();
    Token t = token('%');
    ValueId v = f_.add_value(t.name, Type());
    if (!in_.failed() && !values_.emplace(t.key, v).second) in_.fail("a second value %" + t.key);
    if (in_.take(":")) f_.values[at(v)].type = type();
    return v;
  }

  ValueId constant_value(std::size_t id) {
    auto [it, added] = constant_values_.emplace(id, kNone);
    if (added) {
      it->second = f_.add_value(m_.constants[id].name, m_.constants[id].type);
      f_.values[at(it->second)].constant = static_cast<ConstantId>(id);
    }
    return it->second;
  }

  // f32(0.5), i64[2](1, 2): a constant without a name, one for all that are equal.
  std::size_t literal() {
    std::string dtype = in_.name("an operand");
    Constant c;
    std::string shape = in_.peek() == '[' ? in_.balanced("(") : "[]";
    Result<Type> t = parse_type(dtype + shape);
    if (!t.ok() || !t->is_static()) {
      in_.fail("expected an operand");
      return 0;
    }
    c.type = *std::move(t);
    c.stored_dtype = c.type.dtype;
    c.stored_shape = *constant_extents(*c.type.shape);
    c.encoding = c.stored_dtype == DType::string ? Encoding::kStrings : Encoding::kPlain;
    in_.expect("(");
    std::vector<std::byte> bytes;
    std::int64_t n = elements(c.stored_dtype, ")", bytes);
    if (!in_.failed() && element_count(c.stored_shape) != n) {
      in_.fail("a literal of type " + c.type.to_string() + " with " + std::to_string(n) + " elements");
    }
    std::string key = c.type.to_string() + hex_text(bytes);
    own(c, std::move(bytes));
    auto [it, added] = literals_.emplace(std::move(key), m_.constants.size());
    if (added) m_.add_constant(std::move(c));
    return it->second;
  }

  // Requires an operand that is there.
  ValueId operand() {
    count();
    if (in_.peek() == '%') {
      Token t = token('%');
      auto it = values_.find(t.key);
      if (it != values_.end()) return it->second;
      if (!in_.failed()) in_.fail("no value %" + t.key + " before this place");
    } else if (std::size_t id = in_.peek() == '@' ? constant_id() : literal(); !in_.failed()) {
      return constant_value(id);
    }
    return 0;
  }

  std::size_t constant_id() {
    Token t = token('@');
    auto it = constant_ids_.find(t.key);
    if (it != constant_ids_.end()) return it->second;
    if (!in_.failed()) in_.fail("no constant @" + t.key + " before this place");
    return 0;
  }

  void line() {
    if (in_.take_word("let")) return let();
    count();
    Node n;
    while (in_.peek() == '%' || in_.peek() == '_') {
      n.outputs.push_back(in_.take("_") ? kNone : new_value());
      if (in_.failed() || in_.take("=")) break;
      in_.expect(",");
    }
    op(n);
    in_.expect("(");
    for (bool more = !in_.take(")"); more && !in_.failed(); in_.expect(more ? "," : ")")) {
      n.inputs.push_back(in_.take_word("_") ? kNone : operand());
      more = in_.peek() == ',';
    }
    tail(n);
    NodeId id = static_cast<NodeId>(f_.nodes.size());
    for (ValueId v : n.outputs) {
      if (v != kNone && !in_.failed()) f_.values[at(v)].producer = id;
    }
    f_.nodes.push_back(std::move(n));
  }

  // A value of its own for a constant.
  void let() {
    count();
    Token t = token('%');
    in_.expect("=");
    std::size_t id = in_.peek() == '@' ? constant_id() : literal();
    if (in_.failed()) return;
    ValueId v = f_.add_value(t.name, m_.constants[id].type);
    f_.values[at(v)].constant = static_cast<ConstantId>(id);
    if (!values_.emplace(t.key, v).second) in_.fail("a second value %" + t.key);
  }

  void op(Node& n) {
    std::string name = in_.name("an op");
    std::int64_t version = in_.take(":") ? in_.integer() : 1;
    n.op = ops_.find(name);
    if (in_.failed()) return;
    if (!n.op) return in_.fail(unsupported("no op is named " + quoted(name)));
    if (n.op->version != version) {
      in_.fail(unsupported("version " + std::to_string(version) + " of op " + quoted(name) + "; known is version " +
                           std::to_string(n.op->version)));
    }
  }

  void tail(Node& n) {
    if (in_.take("{")) {
      for (bool more = !in_.take("}"); more && !in_.failed(); in_.expect(more ? "," : "}")) {
        std::string name = in_.name("an attribute");
        in_.expect("=");
        std::string text = in_.balanced(",}");
        count(1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), ',')));
        Result<AttrValue> value = parse_attr(text);
        if (!value.ok()) return in_.fail(value.status());
        if (n.attrs.has(name) || n.attrs.items().size() >= 1000) {
          return in_.fail("attribute " + quoted(name) + " is set twice, or there are more than 1000");
        }
        n.attrs.set(name, *std::move(value));
        more = in_.peek() == ',';
      }
    }
    if (in_.take("[")) {
      for (bool more = !in_.take("]"); more && !in_.failed(); in_.expect(more ? "," : "]")) {
        calls_.push_back({token('@').key, f_.name, false, static_cast<FunctionId>(m_.functions.size()), f_.nodes.size(),
                          n.bodies.size()});
        n.bodies.push_back(0);
        count();
        more = in_.peek() == ',';
      }
    }
    if (in_.peek() == '"') {
      n.name = in_.string();
    } else if (!n.outputs.empty() && n.outputs[0] != kNone) {
      n.name = f_.values[at(n.outputs[0])].name;
    }
  }

  Cursor in_;
  const OpLookup& ops_;
  const TextOptions& options_;
  Module m_;
  std::unordered_map<std::string, std::size_t> constant_ids_, literals_;
  std::unordered_map<std::string, FunctionId> function_ids_;
  std::vector<Call> calls_;
  std::size_t items_ = 0;
  // Of the function being read.
  Function f_;
  std::unordered_map<std::string, ValueId> values_;
  std::unordered_map<std::size_t, ValueId> constant_values_;
};

}  // namespace

Result<Module> parse(std::string_view text, const OpLookup& ops, const TextOptions& options) {
  return Parser(text, ops, options).run();
}

}  // namespace mote
