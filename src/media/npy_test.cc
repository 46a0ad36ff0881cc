#include "media/npy.h"

#include <gtest/gtest.h>

#include <cstring>

#include "media/test_data.h"

namespace mote::media {
namespace {

// A version 1 file around a header as numpy writes it.
std::vector<std::byte> npy(std::string_view dict, std::string_view data, char version = 1) {
  std::string s = std::string("\x93NUMPY") + version + '\0';
  const std::size_t n = dict.size() + 1;
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) s += static_cast<char>(n >> (8 * i) & 0xff);
  return to_bytes(s + std::string(dict) + "\n" + std::string(data));
}

std::string header(std::string_view descr, std::string_view shape, bool fortran = false) {
  return "{'descr': '" + std::string(descr) + "', 'fortran_order': " + (fortran ? "True" : "False") +
         ", 'shape': " + std::string(shape) + ", }";
}

std::string text(const std::vector<std::byte>& v) { return {reinterpret_cast<const char*>(v.data()), v.size()}; }

std::string error(std::span<const std::byte> file, const Limits& limits = {}) {
  auto r = read_npy(file, limits);
  return r.ok() ? "no error" : r.status().to_string();
}

TEST(Npy, ReadsEveryVersion) {
  for (char version : {1, 2, 3}) {
    auto r = read_npy(npy(header("<i2", "(2,)"), std::string_view("\1\0\2\0", 4), version));
    ASSERT_TRUE(r.ok()) << r.status().to_string();
    EXPECT_EQ(r->dtype, DType::i16);
    EXPECT_EQ(r->shape, std::vector<std::int64_t>{2});
    EXPECT_EQ(text(r->data), std::string("\1\0\2\0", 4));
  }
  EXPECT_NE(error(npy(header("<i2", "(0,)"), "", 4)).find("version 4"), std::string::npos);
}

TEST(Npy, ReadsEveryDtype) {
  const std::pair<const char*, DType> rows[] = {
      {"|b1", DType::boolean}, {"|i1", DType::i8},  {"<i2", DType::i16}, {"<i4", DType::i32},  {"<i8", DType::i64},
      {"|u1", DType::u8},      {"<u2", DType::u16}, {"<u4", DType::u32}, {"<u8", DType::u64},  {"<f2", DType::f16},
      {"<f4", DType::f32},     {"=f8", DType::f64}, {"<c8", DType::c64}, {"<c16", DType::c128}};
  for (const auto& [descr, dtype] : rows) {
    const std::string data(static_cast<std::size_t>(bytes_of(dtype, 3)), '\1');
    auto r = read_npy(npy(header(descr, "(3, 1)"), data));
    ASSERT_TRUE(r.ok()) << descr << r.status().to_string();
    EXPECT_EQ(r->dtype, dtype);
    EXPECT_EQ(text(r->data), data);
  }
}

TEST(Npy, SwapsBigEndian) {
  auto r = read_npy(npy(header(">u4", "()"), std::string_view("\1\2\3\4", 4)));
  ASSERT_TRUE(r.ok());
  EXPECT_EQ(text(r->data), "\4\3\2\1");
  EXPECT_TRUE(r->shape.empty());
  auto c = read_npy(npy(header(">c8", "(1,)"), "abcdefgh"));
  ASSERT_TRUE(c.ok());
  EXPECT_EQ(text(c->data), "dcbahgfe");
  auto u = read_npy(npy(header(">U2", "(1,)"), std::string_view("\0\0\0A\0\0\xe9\x80", 8)));
  ASSERT_TRUE(u.ok()) << u.status().to_string();
  EXPECT_EQ(u->strings[0], "A\xee\xa6\x80");
}

TEST(Npy, TransposesFortranOrder) {
  // (2, 3) in column-major order: element (r, c) is letter 2 * c + r.
  auto r = read_npy(npy(header("|u1", "(2, 3)", true), "abcdef"));
  ASSERT_TRUE(r.ok());
  EXPECT_EQ(text(r->data), "acebdf");
  auto s = read_npy(npy(header("|S1", "(2, 1, 3)", true), "abcdef"));
  ASSERT_TRUE(s.ok());
  EXPECT_EQ(s->strings, (std::vector<std::string>{"a", "c", "e", "b", "d", "f"}));
  auto empty = read_npy(npy(header("|u1", "(2, 0, 3)", true), ""));
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE(empty->data.empty());
  EXPECT_TRUE(read_npy(npy(header("|u1", "(9999999999, 9999999999, 0)", true), "")).ok());
}

TEST(Npy, ReadsStrings) {
  auto s = read_npy(npy(header("|S3", "(2,)"), std::string_view("a\0\0b\0c", 6)));
  ASSERT_TRUE(s.ok());
  EXPECT_EQ(s->strings[0], "a");
  EXPECT_EQ(s->strings[1], std::string("b\0c", 3));
  EXPECT_TRUE(s->data.empty());
  const std::string bad("\0\xd8\0\0", 4);  // a surrogate
  const auto file = npy(header("<U1", "(1,)"), bad);
  EXPECT_NE(error(file).find(std::to_string(file.size() - 4) + ": not a unicode"), std::string::npos) << error(file);
}

TEST(Npy, MakesBooleansOnes) {
  auto r = read_npy(npy(header("|b1", "(3,)"), std::string_view("\0\1\xff", 3)));
  ASSERT_TRUE(r.ok());
  EXPECT_EQ(text(r->data), std::string("\0\1\1", 3));
}

TEST(Npy, RefusesByName) {
  EXPECT_NE(error(npy(header("|O", "(1,)"), "")).find("Python objects"), std::string::npos);
  EXPECT_NE(error(npy(header("<M8[ns]", "(1,)"), "")).find("'<M8[ns]'"), std::string::npos);
  EXPECT_NE(error(npy(header("|V2", "(1,)"), "ab")).find("bfloat16"), std::string::npos);
  EXPECT_NE(error(npy(header("<f16", "(1,)"), "")).find("'<f16'"), std::string::npos);
  EXPECT_NE(error(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "")).find("records"),
            std::string::npos);
}

TEST(Npy, RefusesWhatDoesNotFit) {
  EXPECT_NE(error(npy(header("<f4", "(3,)"), "12345678901")).find("the 11 bytes that follow"), std::string::npos);
  EXPECT_NE(error(npy(header("<f8", "(4611686018427387, 4611686018427387)"), "")).find("(4611686018427387,"),
            std::string::npos);
  EXPECT_NE(error(npy(header("<f8", "(0, 4611686018427387904, 4)"), "")), "no error crash");
  EXPECT_NE(error(npy(header("<f8", "(99999999999999999999,)"), "")).find("too large"), std::string::npos);
  EXPECT_NE(error(npy(header("<f4", "(-1,)"), "")).find("expected a dimension"), std::string::npos);
  // Zero-width strings cost the file nothing.
  EXPECT_NE(error(npy(header("<U0", "(1000000000000,)"), "")).find("strings needs"), std::string::npos);
  Limits small;
  small.max_bytes = 100;
  EXPECT_NE(error(npy(header("|u1", "(101,)"), std::string(101, 'x')), small).find("--max-ram"), std::string::npos);
}

TEST(Npy, SurvivesEveryTruncationAndMutation) {
  const auto good = npy(header("<U2", "(2, 1)"), std::string(16, 'a'));
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(read_npy(std::span(good).first(n)).ok()) << n;
  for (std::size_t i = 0; i < good.size() - 16; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto bad = good;
      bad[i] ^= static_cast<std::byte>(1 << bit);
      auto r = read_npy(bad);
      if (!r.ok()) {
        EXPECT_FALSE(r.status().message().empty());
      }
    }
  }
}

TEST(Npy, WritesWhatItReads) {
  const std::pair<DType, std::string_view> rows[] = {
      {DType::boolean, "\1"}, {DType::i8, "a"},         {DType::u16, "ab"},       {DType::f16, "ab"},
      {DType::f32, "abcd"},   {DType::i64, "abcdefgh"}, {DType::c64, "abcdefgh"}, {DType::c128, "abcdefghijklmnop"}};
  for (const auto& [dtype, data] : rows) {
    for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{}, {1}, {1, 1, 1}}) {
      Array a;
      a.dtype = dtype;
      a.shape = shape;
      a.data = to_bytes(data);
      auto file = write_npy(a);
      ASSERT_TRUE(file.ok());
      EXPECT_EQ((file->size() - data.size()) % 64, 0u);
      auto back = read_npy(*file);
      ASSERT_TRUE(back.ok()) << back.status().to_string();
      EXPECT_EQ(back->dtype, dtype);
      EXPECT_EQ(back->shape, shape);
      EXPECT_EQ(back->data, a.data);
    }
  }
  Array wrong;
  wrong.dtype = DType::f32;
  wrong.shape = {2};
  wrong.data.resize(4);
  EXPECT_FALSE(write_npy(wrong).ok());
}

TEST(Npy, WritesLongHeadersAsVersion2) {
  Array a;
  a.dtype = DType::u8;
  a.shape.assign(60, 1);
  a.data.resize(1);
  auto file = write_npy(a);
  ASSERT_TRUE(file.ok());
  auto back = read_npy(*file);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->shape, a.shape);
}

TEST(Npy, WidensWhatNumpyLacks) {
  const auto floats = [](DType t, std::int64_t n, std::string_view data) {
    const std::int64_t shape[] = {n};
    const auto bytes = to_bytes(data);
    auto back = read_npy(*write_npy(ArrayView("x", t, shape, bytes)));
    EXPECT_EQ(back->dtype, npy_dtype(t));
    std::vector<float> v;
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      if (back->dtype == DType::f32) {
        float f;
        std::memcpy(&f, back->data.data() + 4 * i, 4);
        v.push_back(f);
      } else {
        const auto b = std::to_integer<std::uint8_t>(back->data[i]);
        v.push_back(back->dtype == DType::i8 ? static_cast<std::int8_t>(b) : b);
      }
    }
    return v;
  };
  EXPECT_EQ(floats(DType::bf16, 2, std::string_view("\x80\x3f\x00\xc0", 4)), (std::vector<float>{1, -2}));
  EXPECT_EQ(floats(DType::f8e4m3fn, 2, "\x38\xc0"), (std::vector<float>{1, -2}));
  EXPECT_EQ(floats(DType::f8e5m2, 1, "\x3c"), (std::vector<float>{1}));
  EXPECT_EQ(floats(DType::f8e8m0, 1, "\x80"), (std::vector<float>{2}));
  EXPECT_EQ(floats(DType::f4e2m1, 3, "\x72\x09"), (std::vector<float>{1, 6, -0.5f}));
  EXPECT_EQ(floats(DType::i4, 3, "\x8f\x07"), (std::vector<float>{-1, -8, 7}));
  EXPECT_EQ(floats(DType::u4, 3, "\x8f\x07"), (std::vector<float>{15, 8, 7}));
  EXPECT_EQ(floats(DType::i2, 5, "\x1b\x02"), (std::vector<float>{-1, -2, 1, 0, -2}));
  EXPECT_EQ(floats(DType::u2, 4, "\x1b"), (std::vector<float>{3, 2, 1, 0}));
}

TEST(Npy, WritesStringsAsUnicode) {
  Array a;
  a.dtype = DType::string;
  a.shape = {2, 2};
  a.strings = {"", "h\xc3\xa9", "\xf0\x9f\x90\x88", "abc"};
  auto file = write_npy(a);
  ASSERT_TRUE(file.ok());
  EXPECT_NE(text(*file).find("'<U3'"), std::string::npos);
  auto back = read_npy(*file);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->strings, a.strings);
  a.strings[1] = "\xc3";
  EXPECT_NE(write_npy(a).status().to_string().find("element 1 is not UTF-8"), std::string::npos);
  a.strings[1] = "\xed\xa0\x80";  // a surrogate in disguise
  EXPECT_FALSE(write_npy(a).ok());
}

TEST(Npy, NarrowsWhatItWidens) {
  for (DType t :
       {DType::bf16, DType::f8e4m3fn, DType::f8e5m2, DType::f4e2m1, DType::i4, DType::u4, DType::i2, DType::u2}) {
    const bool is_integer = !is_float(t);
    const int low = !is_integer ? -2 : t == DType::i4 ? -8 : t == DType::i2 ? -2 : 0;
    Array a{"x", npy_dtype(t), {5}, {}, {}};
    const float values[] = {1, 0, static_cast<float>(low), 1, 1};
    for (float v : values) {
      if (is_integer) {
        a.data.push_back(static_cast<std::byte>(static_cast<int>(v)));
      } else {
        const auto* p = reinterpret_cast<const std::byte*>(&v);
        a.data.insert(a.data.end(), p, p + 4);
      }
    }
    const Array wide = a;
    ASSERT_TRUE(narrow(a, t).ok()) << name_of(t);
    EXPECT_EQ(a.dtype, t);
    auto file = write_npy(a);
    ASSERT_TRUE(file.ok());
    auto back = read_npy(*file);
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(back->data, wide.data) << name_of(t);
  }
  Array large{"x", DType::i8, {2}, {std::byte{7}, std::byte{8}}, {}};
  EXPECT_NE(narrow(large, DType::i4).to_string().find("element 1 is 8"), std::string::npos);
  EXPECT_EQ(large.dtype, DType::i8);
  EXPECT_TRUE(narrow(large, DType::f32).ok());
  EXPECT_EQ(large.dtype, DType::i8);
}

}  // namespace
}  // namespace mote::media
