#include "tensor/dim.h"

#include <gtest/gtest.h>

namespace mote {
namespace {

Dim d(std::string_view text) {
  Result<Dim> r = Dim::parse(text);
  EXPECT_TRUE(r.ok()) << text;
  return r.ok() ? *r : Dim();
}

TEST(Dim, EqualExtentsCompareEqual) {
  for (auto [a, b] :
       {std::pair("2*N+2", "2*N+1+1"), std::pair("N*M", "M*N"), std::pair("floordiv(4*N+8,4)", "N+2"),
        std::pair("max(N,N)", "N"), std::pair("max(N+1,N)", "N+1"), std::pair("min(N,M)", "min(M,N)"),
        std::pair("max(min(512,N),N)", "N"), std::pair("max(N,min(N,512))", "N"), std::pair("min(max(N,M),M)", "M"),
        std::pair("max(max(N,M),N)", "max(N,M)"), std::pair("max(max(min(512,N),N),N)", "N"),
        std::pair("floordiv(N*M*12,M*12)", "N"), std::pair("mod(N,1)", "0"), std::pair("N-N", "0")}) {
    EXPECT_TRUE(d(a) == d(b)) << a << " " << d(a).to_string();
    EXPECT_EQ(d(a).to_string(), d(b).to_string());
  }
  EXPECT_FALSE(d("max(min(512,N),M)") == d("M"));
  EXPECT_FALSE(d("max(min(512,N)+1,N)") == d("N"));
  EXPECT_FALSE(d("N") == d("M"));
}

TEST(Dim, EvaluatesLikeIntegers) {
  auto at = [](std::string_view text, std::int64_t n, std::int64_t m) {
    return d(text).evaluate([=](std::string_view s) { return std::optional(s == "N" ? n : m); });
  };
  for (std::int64_t n : {0, 1, 2, 7, 600}) {
    for (std::int64_t m : {1, 3, 512}) {
      EXPECT_EQ(at("max(min(512,N),N)", n, m), n);
      EXPECT_EQ(at("min(max(N,M),max(M,N))", n, m), std::max(n, m));
      EXPECT_EQ(at("max(min(N,M),M)", n, m), m);
      EXPECT_EQ(at("floordiv(N-1,2)", n, m), n == 0 ? -1 : (n - 1) / 2);
      EXPECT_EQ(at("mod(N,M)", n, m), n % m);
    }
  }
}

TEST(Dim, ParsesWhatItPrintsAndRefusesTheRest) {
  for (const char* text : {"0", "-3", "N", "2*N-1", "-N+4", "floordiv(N+1,2)", "min(N,mod(M,3))", "N*N*M"}) {
    EXPECT_TRUE(d(d(text).to_string()) == d(text)) << text;
  }
  for (const char* text : {"", "+", "N+", "(N)", "f(N,1)", "min(N)", "min(N,1", "N N", "1x", "99999999999999999999"}) {
    EXPECT_FALSE(Dim::parse(text).ok()) << text;
  }
  std::string product = "a0";
  for (int i = 1; i < 100; ++i) product += "*a" + std::to_string(i);
  EXPECT_FALSE(Dim::parse(product).ok());
}

TEST(Dim, Broadcast) {
  auto shape = [](std::initializer_list<const char*> dims) {
    Shape s;
    for (const char* x : dims) s.push_back(d(x));
    return s;
  };
  EXPECT_EQ(to_string(*broadcast(shape({"N", "1"}), shape({"4"}))), "[N,4]");
  EXPECT_EQ(to_string(*broadcast(shape({"N", "S"}), shape({"1", "min(512,S)"}))), "[N,S]");
  EXPECT_FALSE(broadcast(shape({"2"}), shape({"3"})).ok());
}

TEST(Dim, MinAndMaxOfWhatIsOrderedForAllSizesAreDecided) {
  struct {
    const char *a, *b, *greater;
  } const rows[] = {
      {"2*N", "3*N", "3*N"},
      {"N", "N+4", "N+4"},
      {"N*M+2*N", "N", "N*M+2*N"},
      {"0", "N", "N"},
      {"64*floordiv(N+63,64)", "128*floordiv(N+63,64)", "128*floordiv(N+63,64)"},
      {"max(N,M)", "0", "max(N,M)"},
  };
  for (const auto& r : rows) {
    Dim a = d(r.a), b = d(r.b), greater = d(r.greater), less = greater == a ? b : a;
    EXPECT_EQ(max(a, b).to_string(), greater.to_string());
    EXPECT_EQ(max(b, a).to_string(), greater.to_string());
    EXPECT_EQ(min(a, b).to_string(), less.to_string());
  }
}

TEST(Dim, OtherMinAndMaxStay) {
  for (const char* text : {"max(M,N)", "max(0,N-1)", "max(2*N,N+8)", "min(4,N)", "max(0,floordiv(N-1,2))"}) {
    EXPECT_EQ(d(text).to_string(), text);
  }
}

TEST(Dim, ValuesAgreeWithTheFormula) {
  for (const char* text : {"max(2*N,N+8)", "max(N-1,0)+min(3*N,N)", "max(floordiv(N-3,2),min(N,7))*2"}) {
    Dim formula = d(text);
    for (std::int64_t n = 0; n < 20; ++n) {
      auto value = formula.evaluate([&](std::string_view) { return std::optional(n); });
      ASSERT_TRUE(value);
      std::int64_t want = text[4] == '2' ? std::max(2 * n, n + 8)
                          : text[4] == 'N'
                              ? std::max<std::int64_t>(n - 1, 0) + std::min(3 * n, n)
                              : std::max((n - 3) / 2 - ((n - 3) % 2 < 0 ? 1 : 0), std::min<std::int64_t>(n, 7)) * 2;
      EXPECT_EQ(*value, want) << text << " for " << n;
    }
  }
}

}  // namespace
}  // namespace mote
