// A deadline stops inside of every reference: on all cases of tests/ops, with contexts that count what references spend
// and that stop them anywhere.
#include <gtest/gtest.h>

#include <set>

#include "ops/case_testing.h"
#include "ops/loops.h"
#include "ops/macs.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote::testing {
namespace {

// So many elements at once, so that a loop of the tiny operands of a case has several pieces.
constexpr Pace kEverySpend = {0, 4};
// What a reference may do between two polls of such a context: a piece, or one iteration of the dearest work.
constexpr std::int64_t kMostBetweenPolls = 64;

// They look at some elements of an input only.
const std::set<std::string_view> kReadAPart = {"gather_elements",
                                               "lookup",
                                               "negative_log_likelihood_loss",
                                               "random_normal_like",
                                               "random_uniform_like",
                                               "sequence_insert",
                                               "sequence_erase",
                                               "sequence_construct",
                                               "shape",
                                               "signal_pcan",
                                               "size",
                                               "slice"};

// Elements of the largest operand. Lists that come out are copied by the context, not by the reference.
std::int64_t most_elements(const std::vector<Item>& items, bool lists) {
  std::int64_t most = 0;
  for (const Item& item : items) {
    std::int64_t n = 0;
    for (const Tensor& t : item.tensors) n += t.view().count();
    if (lists || !item.is_list) most = std::max(most, n);
  }
  return most;
}

// What the op's definition multiplies and adds.
std::int64_t macs_of(const Op& op, const Case& c, const std::vector<Item>& outputs) {
  Module m;
  m.functions.resize(1);
  Function& f = m.functions[0];
  Node node;
  node.op = &op;
  node.attrs = c.attrs;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const bool tensor = c.inputs[i].present && !c.inputs[i].is_list;
    node.inputs.push_back(tensor ? f.add_input("x" + std::to_string(i), type_of(c.inputs[i])) : kNone);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const bool tensor = outputs[i].present && !outputs[i].is_list;
    node.outputs.push_back(tensor ? f.add_value("y" + std::to_string(i), type_of(outputs[i])) : kNone);
  }
  const Dim macs = count_macs(m, f, node);
  return macs.is_const() ? macs.value() : 0;
}

bool equal(const std::vector<Item>& a, const std::vector<Item>& b, const StringHeap& strings) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].present != b[i].present || a[i].tensors.size() != b[i].tensors.size()) return false;
    for (std::size_t k = 0; k < a[i].tensors.size(); ++k) {
      const Tensor &x = a[i].tensors[k], &y = b[i].tensors[k];
      if (x.dtype != y.dtype || x.shape != y.shape) return false;
      if (x.dtype != DType::string && x.bytes != y.bytes) return false;
      for (std::int64_t e = 0; x.dtype == DType::string && e < x.view().count(); ++e) {
        if (strings.get(x.view().as<StringRef>()[e]) != strings.get(y.view().as<StringRef>()[e])) return false;
      }
    }
  }
  return true;
}

struct Paced {
  const Case& c;
  const Op& op;
  StringHeap& strings;
  int outputs() const { return std::max(static_cast<int>(c.outputs.size()), 1); }

  Status run(VectorContext& ctx) const { return run_reference(find_reference(op), ctx); }

  // In pieces: the same bits, all work counted, never much at once.
  std::int64_t count() const {
    VectorContext whole(op, c.attrs, c.inputs, outputs(), strings),
        pieces(op, c.attrs, c.inputs, outputs(), strings, kEverySpend);
    EXPECT_TRUE(run(whole).ok());
    EXPECT_TRUE(run(pieces).ok());
    EXPECT_TRUE(equal(whole.results, pieces.results, strings)) << "the pieces change a result";
    EXPECT_LE(pieces.most_work, kMostBetweenPolls);
    // A single element needs no loop.
    EXPECT_GE(pieces.work + 1, most_elements(pieces.results, false)) << "a result is written that is not spent";
    // Definitions count what falls on padding, which references leave out.
    EXPECT_GE(2 * pieces.work, macs_of(op, c, pieces.results)) << "multiply-adds are not spent";
    if (!kReadAPart.contains(op.name) && most_elements(pieces.results, true) > 0) {
      EXPECT_GE(pieces.work + 1, most_elements(c.inputs, false)) << "an input is read that is not spent";
    }
    return pieces.polls;
  }

  // Stopped at poll `at`: the status of the poll, whatever the reference makes of what it has.
  void stop(std::int64_t at) const {
    VectorContext ctx(op, c.attrs, c.inputs, outputs(), strings, kEverySpend);
    ctx.fail_at = at;
    const Status s = run(ctx);
    EXPECT_EQ(s.code(), Code::kDeadlineExceeded) << "stopped at poll " << at << ": " << s.to_string();
    EXPECT_EQ(ctx.polls, at) << "asked again after it was stopped";
  }
};

void check(const Paced& paced) {
  constexpr std::int64_t kMostStops = 64;  // of one case, spread over its polls
  const std::int64_t polls = paced.count(), step = std::max<std::int64_t>(1, polls / kMostStops);
  for (std::int64_t at = 1; at <= polls; at += step) paced.stop(at);
}

// On nine elements of the first dtype that it takes.
bool check_elementwise(const Op& op, StringHeap& strings) {
  if (!op.is(kElementwise)) return false;
  for (DType dtype : {DType::f32, DType::i32, DType::boolean}) {
    Case c;
    for (const Slot& slot : op.inputs) {
      if (slot.arity != Arity::kOptional) c.inputs.push_back(Item::of(Tensor(dtype, {9})));
    }
    if (op.attr("direction")) c.attrs.set("direction", std::string("LEFT"));
    VectorContext ctx(op, c.attrs, c.inputs, 1, strings);
    if (!infer_now(ctx).ok()) continue;
    check({c, op, strings});
    return true;
  }
  return false;
}

TEST(Pace, EveryReferenceSpendsAndStops) {
  std::set<std::string_view> seen;
  for (const auto& file : case_files(MOTE_OP_CASES)) {
    StringHeap strings;
    for (const Case& c : read_cases(file, strings)) {
      SCOPED_TRACE(file.filename().string() + ":" + std::to_string(c.line) + " " + c.name);
      const Op* op = find_op(c.op);
      if (!op || !find_reference(*op) || c.outputs.empty() || !c.error.empty()) continue;
      seen.insert(op->name);
      check({c, *op, strings});
    }
  }
  for (const Op* op : all_ops()) {
    if (!find_reference(*op) || seen.contains(op->name)) continue;
    SCOPED_TRACE(op->name);
    StringHeap strings;
    EXPECT_TRUE(check_elementwise(*op, strings)) << op->name << " has no case";
  }
}

// Whatever is sorted, and however long it is: by pieces, and stable.
TEST(Pace, SortsInPieces) {
  const Op* op = find_op("abs");
  ASSERT_TRUE(op);
  const Attrs attrs;
  const std::vector<Item> none;
  StringHeap strings;
  std::mt19937 gen(7);
  for (std::size_t n : {0, 1, 2, 3, 5, 8, 31, 100, 1000}) {
    VectorContext ctx(*op, attrs, none, 0, strings, kEverySpend);
    std::vector<std::pair<int, int>> v;
    for (std::size_t i = 0; i < n; ++i) v.emplace_back(static_cast<int>(gen() % 10), static_cast<int>(i));
    auto sorted = v, first = v;
    sort_stable(ctx, std::span(sorted), [](auto a, auto b) { return a.first < b.first; });
    auto want = v;
    std::sort(want.begin(), want.end());
    EXPECT_EQ(sorted, want) << n;
    for (std::size_t k : {std::size_t{0}, std::size_t{1}, n / 3, n}) {
      if (k > n) continue;
      first = v;
      sort_first(ctx, std::span(first), k, std::less<>());
      EXPECT_TRUE(std::equal(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(k), want.begin()))
          << k << " of " << n;
    }
    EXPECT_LE(ctx.most_work, kMostBetweenPolls);
  }
}

// With the numbers of a run: nothing is asked more often than needed, and nothing more seldom than said.
TEST(Pace, ARunIsAskedOnceInSomeWork) {
  const Op* op = find_op("neg");
  ASSERT_TRUE(op);
  const Attrs attrs;
  const std::vector<Item> inputs = {Item::of(Tensor(DType::f64, {1 << 20}))};
  StringHeap strings;
  VectorContext ctx(*op, attrs, inputs, 1, strings);
  ASSERT_TRUE(run_reference(find_reference(*op), ctx).ok());
  EXPECT_LE(ctx.polls, (1 << 20) / ReferenceContext::kWorkBetweenPolls);
  EXPECT_GE(ctx.polls, (1 << 20) / (ReferenceContext::kWorkBetweenPolls + ReferenceContext::kMostAtOnce) - 1);
  EXPECT_LE(ctx.most_work, ReferenceContext::kWorkBetweenPolls + ReferenceContext::kMostAtOnce);
}

}  // namespace
}  // namespace mote::testing
