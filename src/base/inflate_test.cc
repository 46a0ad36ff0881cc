#include "base/inflate.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mote {
namespace {

std::vector<std::byte> bytes_of_hex(std::string_view hex) {
  auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::vector<std::byte> out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<std::byte>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  return out;
}

std::string inflated(std::span<const std::byte> from, std::size_t size) {
  std::string out(size, '?');
  Status s = inflate(from, std::as_writable_bytes(std::span(out)));
  return s.ok() ? out : "refused";
}

// What zlib made of 40 lines.
constexpr std::string_view kStated =
    "65d2490e02310c04c03bafc8136277d6e70cc322246ef9bf84180c78b9a5fbd21525fb735b2be5f458e9b41f677a9f37097c84b3247cd22eb1"
    "48"
    "bc48aedf7c95a2fd8a9b34fddfdca51a6a7bea6dca669cc8ae13bb7982dfa7120054a3809abe7e3786610dd31a383b039337300703231ab828"
    "03"
    "57f306cd18b83bc3f086e90dc8c1008a06b03200da80623f42b5063467400f86110d531b5e";

std::string lines() {
  std::string text;
  for (std::size_t i = 0; i < 40; ++i)
    text += "class " + std::to_string(i) + " is " + std::string("abcdefgh").substr(0, i % 8) + "\n";
  return text;
}

TEST(Inflate, ReadsEveryKindOfBlock) {
  EXPECT_EQ(inflated(bytes_of_hex(kStated), lines().size()), lines());
  EXPECT_EQ(inflated(bytes_of_hex("cbcf4be52a29cf876300"), 16), "one\ntwo\ntwo\ntwo\n");
  EXPECT_EQ(inflated(bytes_of_hex("010800f7ff6173206974206973"), 8), "as it is");
  EXPECT_EQ(inflated(bytes_of_hex("000300fcff616263010200fdff6465"), 5), "abcde");
  EXPECT_EQ(inflated(bytes_of_hex("0300"), 0), "");
}

TEST(Inflate, RefusesWhatIsNoneOrOfAnotherSize) {
  for (std::size_t size : {std::size_t{0}, lines().size() - 1, lines().size() + 1})
    EXPECT_EQ(inflated(bytes_of_hex(kStated), size), "refused");
  EXPECT_EQ(inflated(bytes_of_hex("010800f8ff6173206974206973"), 8), "refused");  // lengths that disagree
  EXPECT_EQ(inflated(bytes_of_hex("07"), 0), "refused");                          // the fourth kind
  EXPECT_EQ(inflated(bytes_of_hex("cbcf4be52a29cf8763"), 16), "refused");         // no end
  EXPECT_EQ(inflated(bytes_of_hex("4b0404"), 8), "refused");                      // copies what is not there
}

// Whatever is cut or changed ends in an answer or an error.
TEST(Inflate, SurvivesDamage) {
  const std::vector<std::byte> whole = bytes_of_hex(kStated);
  for (std::size_t n = 0; n + 1 < whole.size(); ++n)
    EXPECT_EQ(inflated(std::span(whole).first(n), lines().size()), "refused") << n;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::vector<std::byte> changed = whole;
      changed[at] ^= static_cast<std::byte>(1 << bit);
      std::string out(lines().size(), '?');
      const Status s = inflate(changed, std::as_writable_bytes(std::span(out)));
      EXPECT_TRUE(s.ok() || s.code() == Code::kInvalid) << at;
    }
  }
}

}  // namespace
}  // namespace mote
