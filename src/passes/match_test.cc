#include "passes/match.h"

#include <gtest/gtest.h>

#include "ir/infer.h"
#include "ir/text.h"
#include "ops/ops.h"

namespace mote::passes {
namespace {

// The nodes that `pattern` matches at, by the name of their output, and what its names stand for: "y(x=a,c=b)".
std::string matches(const char* text, const char* pattern) {
  Result<Module> m = parse(text, builtin_ops());
  EXPECT_TRUE(m.ok()) << m.status().to_string();
  if (!m.ok()) return "";
  m->signatures.push_back({"main", 0, {}});
  EXPECT_TRUE(Inference(*m).run().ok());
  Graph g(*m, 0, builtin_ops());
  Pattern p(pattern);
  if (!p.valid()) return "malformed";
  std::string out;
  for (NodeId n = g.first(); n != kNone; n = g.next(n)) {
    std::optional<Match> match = p.match(g, n);
    if (!match) continue;
    out += (out.empty() ? "" : " ") + g.value(g.output(n)).name;
    for (const char* name : {"a", "b", "x"}) {
      if (match->has(name)) out += std::string(",") + name + "=" + g.value((*match)[name]).name;
    }
  }
  return out;
}

const char* kNet = R"(
const @c: f32[] = [2]
func @f(%p: f32[2,3], %q: f32[2,3]) -> (%y, %z) {
  %s = add(%q, %p)
  %t = mul(%s, @c)
  %u = mul(@c, %t)
  %v = exp(%p)
  %y = add(%v, %u)
  %w = clip(%p, _, @c)
  %z = sub(%w, %q)
}
)";

TEST(Match, NamesNumbersConstants) {
  EXPECT_EQ(matches(kNet, "add(a, b)"), "s,a=q,b=p y,a=v,b=u");
  EXPECT_EQ(matches(kNet, "mul(x, 2)"), "t,x=s u,x=t");
  EXPECT_EQ(matches(kNet, "mul(x, 2.1)"), "");
  EXPECT_EQ(matches(kNet, "mul(#a, x)"), "t,a=c,x=s u,a=c,x=t");
  EXPECT_EQ(matches(kNet, "sub(#a, x)"), "");
  EXPECT_EQ(matches(kNet, "add(x, x)"), "");
}

TEST(Match, ShapesOfPatterns) {
  EXPECT_EQ(matches(kNet, "mul(mul(add(a, b), 2), 2)"), "u,a=q,b=p");
  EXPECT_EQ(matches(kNet, "add(mul(x, 2), exp(b))"), "y,b=p,x=t");
  EXPECT_EQ(matches(kNet, "add({log(a) | exp(a)}, b)"), "y,a=p,b=u");
  EXPECT_EQ(matches(kNet, "add(a={log(x) | exp(x)}, b)"), "y,a=v,b=u,x=p");
  EXPECT_EQ(matches(kNet, "sub(a=clip(x, ?, b), ?)"), "z,a=w,b=c,x=p");
  EXPECT_EQ(matches(kNet, "sub(clip(x, ...), b)"), "z,b=q,x=p");
  EXPECT_EQ(matches(kNet, "sub(clip(x), b)"), "");
  EXPECT_EQ(matches(kNet, "clip(x, a, b)"), "");
}

TEST(Match, OrderIsTriedEverywhere) {
  // The first order that fits the inner product binds a to q; only the other one fits the whole.
  const char* net = R"(
func @f(%p: f32[2], %q: f32[2]) -> (%y) {
  %s = mul(%q, %p)
  %t = add(%p, %q)
  %u = sub(%s, %t)
  %y = div(%u, %p)
})";
  EXPECT_EQ(matches(net, "div(sub(mul(a, b), add(b, a)), a)"), "y,a=p,b=q");
  EXPECT_EQ(matches(net, "div(sub(mul(a, b), add(a, b)), b)"), "y,a=q,b=p");
}

TEST(Match, NothingElseReadsTheInside) {
  const char* net = R"(
func @f(%p: f32[2]) -> (%y, %z, %b) {
  %a = exp(%p)
  %y = neg(%a)
  %z = abs(%a)
  %b = log(%p)
  %c = neg(%b)
  %d = neg(%c)
})";
  EXPECT_EQ(matches(net, "neg(exp(x))"), "");
  EXPECT_EQ(matches(net, "neg(log(x))"), "");
  EXPECT_EQ(matches(net, "neg(neg(x))"), "d,x=b");
}

TEST(Match, MalformedPatterns) {
  for (const char* p :
       {"", "x", "1", "?", "add(a", "add(a,b))", "add(a,,)", "{add(a,b) | mul(a,b)}", "add({a, b)", "#"}) {
    EXPECT_EQ(matches(kNet, p), "malformed") << p;
  }
}

}  // namespace
}  // namespace mote::passes
