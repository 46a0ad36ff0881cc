// Strings. Hash tables are filled while importing, from constants; looking something up is label_encoder.
#include <cstring>

#include "base/text.h"
#include "formats/tflite/node.h"

namespace mote::tflite {
namespace {

std::vector<std::string> strings_of(const Constant& c) {
  std::vector<std::string> out;
  std::span<const std::byte> rest = c.stored();
  while (c.encoding == Encoding::kStrings && rest.size() >= 4) {
    std::uint32_t n;
    std::memcpy(&n, rest.data(), 4);
    out.emplace_back(reinterpret_cast<const char*>(rest.data()) + 4, n);
    rest = rest.subspan(4 + n);
  }
  return out;
}

constexpr std::size_t kMostEntries = 1 << 20;

Table* table_of(NodeContext& n) {
  Handle h = n.handle(0);
  if (h.kind == Handle::Kind::kTable) return &n.importer().tables()[h.id];
  n.fail(invalid("its operand is no hash table"));
  return nullptr;
}

// The attribute `name` + "_strings" or "_int64s" with the elements of a constant of that type.
Status set_elements(NodeContext& n, const Constant& c, std::string_view name, std::vector<Attrs::Item>& attrs) {
  if (c.type.dtype == DType::string) {
    attrs.emplace_back(concat(name, "_strings"), strings_of(c));
    return {};
  }
  auto ints = small_ints(c, kMostEntries);
  if (!ints) return invalid(concat(n.op_name(), ": the table's ", name, " are neither integers nor strings"));
  attrs.emplace_back(concat(name, "_int64s"), *std::move(ints));
  return {};
}

}  // namespace

Status import_skip_gram(NodeContext& n) {
  auto* o = n.options<fbs::SkipGramOptions>(fbs::BuiltinOptions::SkipGram);
  n.same("skip_gram", {n.in(0)},
         {{"include_all_ngrams", std::int64_t{o && o->include_all_ngrams()}},
          {"max_skip_size", std::int64_t{o ? o->max_skip_size() : 0}},
          {"ngram_size", std::int64_t{o ? o->ngram_size() : 0}}});
  return {};
}

Status import_hashtable(NodeContext& n) {
  auto* o = n.options<fbs::HashtableOptions>(fbs::BuiltinOptions::Hashtable);
  if (!o) return invalid("has no options");
  Table& t = n.importer().tables()[o->table_id()];
  t.key = dtype_of(o->key_type());
  t.value = dtype_of(o->value_type());
  n.output_handle(0, {Handle::Kind::kTable, o->table_id()});
  return {};
}

Status import_hashtable_import(NodeContext& n) {
  Table* t = table_of(n);
  if (n.failed()) return {};
  if (!n.is_constant(n.in(1)) || !n.is_constant(n.in(2))) {
    n.unsupported("HASHTABLE_IMPORT of what a run makes");
    return {};
  }
  t->keys = n.importer().value(n.frame().function, n.in(1)).constant;
  t->values = n.importer().value(n.frame().function, n.in(2)).constant;
  return {};
}

// Operands: the table, keys, what is given for others.
Status import_hashtable_find(NodeContext& n) {
  Table* t = table_of(n);
  if (n.failed()) return {};
  if (t->keys == kNone || !n.is_constant(n.in(2))) {
    n.unsupported("HASHTABLE_FIND in a table that is not filled before, or with a default that a run makes");
    return {};
  }
  const Module& m = n.importer().module();
  std::vector<Attrs::Item> attrs;
  MOTE_TRY(set_elements(n, m.constants[static_cast<std::size_t>(t->keys)], "keys", attrs));
  MOTE_TRY(set_elements(n, m.constants[static_cast<std::size_t>(t->values)], "values", attrs));
  const Constant& other = n.constant_of(n.in(2));
  if (other.type.dtype == DType::string) {
    std::vector<std::string> text = strings_of(other);
    if (text.size() != 1) return invalid("its default is not one element");
    attrs.emplace_back("default_string", text[0]);
  } else {
    auto number = n.ints_of(n.in(2));
    if (!number || number->size() != 1) return invalid("its default is not one integer");
    attrs.emplace_back("default_int64", (*number)[0]);
  }
  n.same("label_encoder", {n.in(1)}, std::move(attrs));
  return {};
}

Status import_hashtable_size(NodeContext& n) {
  Table* t = table_of(n);
  if (n.failed()) return {};
  if (t->keys == kNone) {
    n.unsupported("HASHTABLE_SIZE of a table that is not filled before");
    return {};
  }
  const Type& keys = n.importer().module().constants[static_cast<std::size_t>(t->keys)].type;
  n.output(0, n.emit("identity", {n.ints({volume(*keys.shape).value()})}));
  return {};
}

}  // namespace mote::tflite
