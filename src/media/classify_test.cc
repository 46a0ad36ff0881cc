#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "media/labels.h"
#include "media/postprocess.h"
#include "media/test_data.h"

namespace mote::media {
namespace {

TEST(Labels, HasItsSets) {
  auto imagenet = label_set("imagenet");
  ASSERT_TRUE(imagenet.ok());
  ASSERT_EQ(imagenet->size(), 1000u);
  EXPECT_EQ((*imagenet)[0], "tench");
  EXPECT_EQ((*imagenet)[281], "tabby");
  EXPECT_EQ((*imagenet)[999], "toilet tissue");
  EXPECT_EQ(label_set("digits")->back(), "9");
  EXPECT_EQ(label_set("coco").status().code(), Code::kNotFound);
}

TEST(Labels, ReadsFiles) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(*parse_labels("\xef\xbb\xbf"
                          "cat\r\n\r\ndog \n\n\n"),
            (Names{"cat", "", "dog"}));
  EXPECT_EQ(*parse_labels("2 great dane\n0: cat\n"), (Names{"cat", "", "great dane"}));
  EXPECT_EQ(*parse_labels("0,cat\n1,dog"), (Names{"cat", "dog"}));
  EXPECT_EQ(*parse_labels("7\n8\n"), (Names{"7", "8"}));
  EXPECT_EQ(*parse_labels("3 pins\nplug\n"), (Names{"3 pins", "plug"}));
  EXPECT_TRUE(parse_labels("")->empty());
  EXPECT_EQ(parse_labels("0 a\n99999999 b\n").status().code(), Code::kResourceExhausted);
  EXPECT_EQ(parse_labels(std::string(1 << 21, '\n')).status().code(), Code::kResourceExhausted);
  EXPECT_NE(parse_labels("ok\n\xff\n").status().to_string().find("line 2"), std::string::npos);
}

TEST(Labels, ReadsMetadata) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(labels_from_metadata(Pairs{{"names", "{0: 'a', 2: \"b's\"}"}}).operator*(),
            (std::vector<std::string>{"a", "", "b's"}));
  EXPECT_EQ(labels_from_metadata(Pairs{{"names", "['x', 'y',]"}})->size(), 2u);
  EXPECT_EQ(labels_from_metadata(Pairs{{"mote.labels", "digits"}})->size(), 10u);
  EXPECT_EQ(labels_from_metadata(Pairs{{"mote.labels", "one\ntwo"}})->size(), 2u);
  EXPECT_TRUE(labels_from_metadata({})->empty());
  for (const char* bad : {"", "{", "{0 'a'}", "{0: 'a'", "{0: a}", "{0: 'a' 1: 'b'}", "{'a': 'b'}", "['a"}) {
    EXPECT_FALSE(labels_from_metadata(Pairs{{"names", bad}}).ok()) << bad;
  }
}

TEST(TopK, BreaksTiesByIndexAndPutsNanLast) {
  const float scores[] = {1, NAN, 3, 3, -1, 3};
  std::vector<std::int64_t> order;
  for (const Class& c : top_k(scores, 10)) order.push_back(c.index);
  EXPECT_EQ(order, (std::vector<std::int64_t>{2, 3, 5, 0, 4, 1}));
  EXPECT_EQ(top_k(scores, 2).size(), 2u);
  EXPECT_TRUE(top_k({}, 5).empty());
}

TEST(TopK, AddsSoftmaxOnlyWhereNeeded) {
  const float logits[] = {1000, 1001, 999};
  const auto top = top_k(logits, 1)[0];
  EXPECT_EQ(top.index, 1);
  EXPECT_EQ(top.score, 1001);
  EXPECT_NEAR(top.prob, 1 / (1 + std::exp(-1.0) + std::exp(-2.0)), 1e-6);
  const float distribution[] = {0.25f, 0.5f, 0.25f};
  EXPECT_EQ(top_k(distribution, 1)[0].prob, 0.5f);
  EXPECT_FALSE(is_distribution(std::vector<float>{0.5f, 0.4f}));
  EXPECT_FALSE(is_distribution(std::vector<float>{1.5f, -0.5f}));
  // A quantized softmax does not sum to one.
  EXPECT_TRUE(is_distribution(std::vector<float>{0.5f, 0.48f}, 1.0f / 32));
}

TEST(TopK, ReadsAnyNumbers) {
  const std::int64_t shape[] = {1, 3};
  const auto data = to_bytes("\x80\x7f\x01");
  EXPECT_EQ(*to_floats(ArrayView("y", DType::i8, shape, data), {0.5f, 1}), (std::vector<float>{-64.5f, 63, 0}));
  EXPECT_FALSE(to_floats(ArrayView("y", DType::string, shape, {})).ok());
}

}  // namespace
}  // namespace mote::media
