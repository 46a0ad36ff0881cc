// skip_gram: the word sequences of a text.
#include <string>
#include <string_view>

#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "strings; the first one is the text"}};
constexpr Slot kOutputs[] = {{"y", "strings, [grams]: words joined by a space, in the order of their places"}};
constexpr AttrSpec kAttrs[] = {
    {"include_all_ngrams", AttrKind::kInt, "0", "1: also sequences of fewer words"},
    {"max_skip_size", AttrKind::kInt, "0", "the most words left out between two of a sequence"},
    {"ngram_size", AttrKind::kInt, "", "words of a sequence", true},
};
constexpr std::size_t kMostGrams = 1 << 22;

Status infer_grams(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kString));
  ctx.output(0, DType::string, {ctx.fresh()});
  return {};
}

bool is_white(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// White space ends a word; the text's first character always begins one, and a word that begins with white space counts
// only at the text's end.
std::vector<std::string_view> words_of(ReferenceContext& ctx, std::string_view s) {
  std::vector<std::string_view> words;
  std::size_t begin = 0;
  for (std::size_t i : ctx.range_from(std::size_t{1}, s.size())) {
    if (!is_white(s[i])) continue;
    if (i > begin && !is_white(s[begin])) words.push_back(s.substr(begin, i - begin));
    begin = i + 1;
  }
  if (begin < s.size()) words.push_back(s.substr(begin));
  return words;
}

Status run_grams(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  if (x.count() < 1) return invalid("skip_gram: there is no text");
  const std::string text(ctx.string(x.as<StringRef>()[0]));
  const std::vector<std::string_view> words = words_of(ctx, text);
  const std::int64_t size = ctx.attr_int("ngram_size"), skip = ctx.attr_int("max_skip_size");
  const bool all = ctx.attr_int("include_all_ngrams") != 0;
  std::vector<StringRef> grams;
  // The places of the words of a sequence; the last one moves on, or gives way to the one before.
  std::vector<std::size_t> places;
  auto take = [&]() -> Status {
    if (!all && places.size() != static_cast<std::size_t>(size)) return {};
    if (grams.size() == kMostGrams) return invalid("skip_gram: there are more than 4,194,304 sequences of words");
    std::string gram;
    for (std::size_t p : places) {
      if (p != places[0]) gram += ' ';
      gram += words[p];
    }
    MOTE_ASSIGN(StringRef ref, ctx.add_string(gram));
    grams.push_back(ref);
    return {};
  };
  std::size_t next = 0;  // the place to try for the next word
  for (bool more = size >= 1 && words.size() >= static_cast<std::uint64_t>(size); more && ctx.spend(1);) {
    const bool fits = places.size() < static_cast<std::size_t>(size) && next < words.size() &&
                      (places.empty() || static_cast<std::int64_t>(next - places.back()) - 1 <= skip);
    if (fits) {
      places.push_back(next++);
      continue;
    }
    if (places.empty()) break;
    MOTE_TRY(take());
    next = places.back() + 1;
    places.pop_back();
  }
  MOTE_ASSIGN(TensorView y,
              ctx.out(0, DType::string, std::vector<std::int64_t>{static_cast<std::int64_t>(grams.size())}));
  for (std::size_t i : ctx.range(grams.size())) y.as<StringRef>()[i] = grams[i];
  return {};
}

}  // namespace

MOTE_DEFINE_OP(skip_gram) = {.name = "skip_gram",
                             .doc = "Sequences of a text's words that are next to each other, or nearly.",
                             .inputs = kInputs,
                             .outputs = kOutputs,
                             .attrs = kAttrs,
                             .infer = infer_grams,
                             .flags = kDataDependent};
MOTE_DEFINE_REFERENCE(skip_gram) = run_grams;

}  // namespace mote
