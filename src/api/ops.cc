#include "mote/ops.h"

#include <algorithm>

#include "ops/decompose.h"
#include "ops/ops.h"
#include "ops/reference.h"

namespace mote {
namespace {

// The folder of src/ops in which an op is defined, as its row in ops.inc says.
struct Row {
  std::string_view name, family;
};
constexpr Row kRows[] = {
#define MOTE_OP_REF(name, folder) {#name, #folder},
#define MOTE_OP_DEC(name, folder) MOTE_OP_REF(name, folder)
#define MOTE_OP_BOTH(name, folder) MOTE_OP_REF(name, folder)
#define MOTE_OP_NONE(name, folder) MOTE_OP_REF(name, folder)
#include "ops/ops.inc"
#undef MOTE_OP_REF
#undef MOTE_OP_DEC
#undef MOTE_OP_BOTH
#undef MOTE_OP_NONE
};

std::vector<OpDoc::Slot> slots(std::span<const Slot> from) {
  std::vector<OpDoc::Slot> out;
  for (const Slot& s : from) out.push_back({s.name, s.doc, s.arity == Arity::kOptional, s.arity == Arity::kVariadic});
  return out;
}

OpDoc document(const Op& op) {
  OpDoc d;
  d.name = op.name;
  d.doc = op.doc;
  d.version = op.version;
  for (const Row& r : kRows) {
    if (r.name == op.name) d.family = r.family;
  }
  d.inputs = slots(op.inputs);
  d.outputs = slots(op.outputs);
  for (const AttrSpec& a : op.attrs)
    d.attributes.push_back({a.name, a.doc, name_of(a.kind), a.default_text, a.required});
  constexpr std::pair<OpFlags, std::string_view> kTraits[] = {
      {kElementwise, "elementwise"}, {kView, "view"},
      {kRandom, "random"},           {kDataDependent, "output shape depends on data"},
      {kControl, "control flow"},    {kState, "state"},
  };
  for (const auto& [flag, text] : kTraits) {
    if (op.is(flag)) d.traits.push_back(text);
  }
  d.has_reference = find_reference(op) != nullptr;
  d.has_decomposition = find_decomposition(op) != nullptr;
  return d;
}

}  // namespace

std::vector<OpDoc> list_ops() {
  std::vector<OpDoc> out;
  for (const Op* op : all_ops()) out.push_back(document(*op));
  std::sort(out.begin(), out.end(), [](const OpDoc& a, const OpDoc& b) { return a.name < b.name; });
  return out;
}

}  // namespace mote
