// What every row of ops.inc promises, whatever the op.
#include <gtest/gtest.h>

#include <set>

#include "ops/decompose.h"
#include "ops/ops.h"
#include "ops/reference.h"

namespace mote {
namespace {

TEST(Catalogue, DefaultsHaveTheKindOfTheirAttribute) {
  for (const Op* op : all_ops()) {
    for (const AttrSpec& attr : op->attrs) {
      if (attr.default_text.empty()) continue;
      auto value = parse_attr(attr.default_text);
      ASSERT_TRUE(value.ok()) << op->name << "." << attr.name;
      EXPECT_EQ(kind_of(*value), attr.kind) << op->name << "." << attr.name << " = " << attr.default_text;
    }
  }
}

TEST(Catalogue, EveryOpIsDocumentedOnceAndFound) {
  std::set<std::string_view> names;
  EXPECT_FALSE(all_ops().empty());
  for (const Op* op : all_ops()) {
    EXPECT_TRUE(names.insert(op->name).second) << op->name;
    EXPECT_EQ(find_op(op->name), op);
    EXPECT_FALSE(op->doc.empty()) << op->name;
    EXPECT_NE(op->infer, nullptr) << op->name;
    for (const Slot& s : op->inputs) EXPECT_FALSE(s.name.empty() || s.doc.empty()) << op->name << "." << s.name;
    for (const Slot& s : op->outputs) EXPECT_FALSE(s.name.empty() || s.doc.empty()) << op->name << "." << s.name;
    for (const AttrSpec& a : op->attrs) EXPECT_FALSE(a.name.empty() || a.doc.empty()) << op->name << "." << a.name;
  }
  EXPECT_EQ(find_op("no_such_op"), nullptr);
}

}  // namespace
}  // namespace mote
