// mote ops: what operations there are, and what each one does.
#include "mote/ops.h"

#include <algorithm>
#include <cstdio>

#include "base/text.h"
#include "cli.h"

namespace mote::cli {
namespace {

Json slots(const std::vector<OpDoc::Slot>& list) {
  Json out = Json::array();
  for (const auto& s : list)
    out.push_back({{"name", s.name}, {"doc", s.doc}, {"optional", s.optional}, {"variadic", s.variadic}});
  return out;
}

Json to_json(const OpDoc& op) {
  Json attributes = Json::array();
  for (const auto& a : op.attributes) {
    Json row = {{"name", a.name}, {"kind", a.kind}, {"doc", a.doc}, {"required", a.required}};
    row["default"] = a.fallback.empty() ? Json() : Json(a.fallback);
    attributes.push_back(std::move(row));
  }
  return {{"name", op.name},
          {"version", op.version},
          {"family", op.family},
          {"doc", op.doc},
          {"inputs", slots(op.inputs)},
          {"outputs", slots(op.outputs)},
          {"attributes", std::move(attributes)},
          {"traits", op.traits},
          {"reference", op.has_reference},
          {"decomposition", op.has_decomposition}};
}

void print_slots(const char* title, const std::vector<OpDoc::Slot>& list) {
  if (list.empty()) return;
  std::printf("\n%s\n", title);
  for (const auto& s : list) {
    std::string name(s.name);
    if (s.optional) name += "?";
    if (s.variadic) name += "...";
    std::printf("  %-16s %s\n", name.c_str(), std::string(s.doc).c_str());
  }
}

void print(const OpDoc& op) {
  std::printf("%s, version %d (%s)\n\n%s\n", std::string(op.name).c_str(), op.version, std::string(op.family).c_str(),
              std::string(op.doc).c_str());
  print_slots("inputs (? may be absent, ... any number)", op.inputs);
  print_slots("outputs", op.outputs);
  if (!op.attributes.empty()) std::printf("\nattributes\n");
  for (const auto& a : op.attributes) {
    std::string type =
        concat(a.kind, a.required ? ", required" : "", a.fallback.empty() ? "" : concat(" = ", a.fallback));
    std::printf("  %-16s %-24s %s\n", std::string(a.name).c_str(), type.c_str(), std::string(a.doc).c_str());
  }
  std::string facts = join(op.traits);
  if (op.has_reference) facts += concat(facts.empty() ? "" : ", ", "has a reference");
  if (op.has_decomposition) facts += concat(facts.empty() ? "" : ", ", "has a decomposition");
  if (!facts.empty()) std::printf("\n%s\n", facts.c_str());
}

std::string first_sentence(std::string_view doc) {
  std::size_t end = doc.find(". ");
  if (std::size_t line = doc.find('\n'); line < end) end = line;
  return std::string(doc.substr(0, end == std::string_view::npos ? doc.size() : end));
}

Result<int> show(const std::string& name) {
  std::vector<OpDoc> ops = list_ops();
  if (name.empty()) {
    Json list = Json::array();
    Table table({"op", "family", "what it does"});
    for (const OpDoc& op : ops) {
      if (globals.json) list.push_back(to_json(op));
      table.add({std::string(op.name), std::string(op.family), first_sentence(op.doc)});
    }
    globals.json ? print_json({{"ops", std::move(list)}}) : table.print();
    return 0;
  }
  auto it = std::find_if(ops.begin(), ops.end(), [&](const OpDoc& op) { return op.name == name; });
  if (it == ops.end()) {
    std::vector<std::string> near;
    for (const OpDoc& op : ops) {
      if (op.name.find(name) != std::string_view::npos || name.find(op.name) != std::string::npos)
        near.emplace_back(op.name);
    }
    return Status(Code::kNotFound, "there is no op " + mote::quoted(name))
        .hint(near.empty() ? "mote ops lists them all" : "there are: " + join(near));
  }
  globals.json ? print_json(to_json(*it)) : print(*it);
  return 0;
}

}  // namespace

void register_ops(CLI::App& app, int& exit_code) {
  CLI::App* verb = add_verb(app, "ops", "list the operations, or explain one", "mote ops conv");
  auto name = std::make_shared<std::string>();
  verb->add_option("NAME", *name, "an op");
  set_action(*verb, exit_code, [name] { return show(*name); });
}

}  // namespace mote::cli
