// tf_idf_vectorizer: how often the n-grams of a pool occur in a sequence.
#include <algorithm>
#include <map>

#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "i32, i64 or strings, [c] or [n, c]"}};
constexpr Slot kOutputs[] = {{"y", "f32, the last axis has max(ngram_indexes) + 1 elements"}};
constexpr AttrSpec kAttrs[] = {
    {"max_gram_length", AttrKind::kInt, "", "longest n-grams that count", true},
    {"max_skip_count", AttrKind::kInt, "", "how many elements may lie between two of an n-gram", true},
    {"min_gram_length", AttrKind::kInt, "", "shortest n-grams that count", true},
    {"mode", AttrKind::kString, "", "\"TF\" counts, \"IDF\" 1 where it occurs, \"TFIDF\" counts; the last two weighted",
     true},
    {"ngram_counts", AttrKind::kInts, "", "where the 1-grams, 2-grams, ... start in the pool", true},
    {"ngram_indexes", AttrKind::kInts, "", "the output position of each n-gram", true},
    {"pool_int64s", AttrKind::kInts, "", "the n-grams, one after the other"},
    {"pool_strings", AttrKind::kStrings, "", "the n-grams, for strings"},
    {"weights", AttrKind::kFloats, "", "a factor for each n-gram; default: 1"},
};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kInts | kString));
  MOTE_TRY(check_rank(ctx, 0, 1, 2));
  std::string mode = ctx.attr_string("mode");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF") return ctx.error("mode '" + mode + "' is not TF, IDF or TFIDF");
  std::vector<std::int64_t> indexes = ctx.attr_ints("ngram_indexes"), starts = ctx.attr_ints("ngram_counts");
  std::int64_t width = 0;
  for (std::int64_t i : indexes) {
    if (i < 0 || i > (std::int64_t{1} << 40)) return ctx.error("ngram_indexes has " + std::to_string(i));
    width = std::max(width, i + 1);
  }
  if (ctx.has_attr("weights") && ctx.attr_floats("weights").size() != indexes.size()) {
    return ctx.error("weights and ngram_indexes differ in length");
  }
  const bool text = ctx.dtype(0) == DType::none ? ctx.has_attr("pool_strings") : ctx.dtype(0) == DType::string;
  std::size_t pool = text ? ctx.attr_strings("pool_strings").size() : ctx.attr_ints("pool_int64s").size();
  std::size_t grams = 0;
  for (std::size_t n = 0; n < starts.size(); ++n) {
    std::int64_t end = n + 1 < starts.size() ? starts[n + 1] : static_cast<std::int64_t>(pool);
    std::int64_t size = end - starts[n], length = static_cast<std::int64_t>(n) + 1;
    if (starts[n] < 0 || size < 0 || end > static_cast<std::int64_t>(pool) || size % length != 0) {
      return ctx.error("ngram_counts do not fit the pool");
    }
    grams += static_cast<std::size_t>(size / length);
  }
  if (grams != indexes.size())
    return ctx.error("the pool has " + std::to_string(grams) + " n-grams for " + std::to_string(indexes.size()) +
                     " ngram_indexes");
  std::optional<Shape> out;
  if (ctx.has_rank(0)) {
    out = ctx.shape(0);
    out->back() = Dim(width);
  }
  output_maybe(ctx, 0, DType::f32, std::move(out));
  return {};
}

template <class Word>
Status run_words(ReferenceContext& ctx, const std::vector<Word>& pool, const auto& word_at) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  zero(ctx, y);
  std::map<std::vector<Word>, std::size_t> grams;  // n-gram -> its number
  std::vector<std::int64_t> starts = ctx.attr_ints("ngram_counts"), indexes = ctx.attr_ints("ngram_indexes");
  for (std::size_t n = 0, number = 0; n < starts.size(); ++n) {
    std::size_t end = n + 1 < starts.size() ? static_cast<std::size_t>(starts[n + 1]) : pool.size();
    for (std::size_t at = static_cast<std::size_t>(starts[n]); at < end && ctx.spend(1); at += n + 1) {
      grams.emplace(std::vector<Word>(pool.begin() + static_cast<std::ptrdiff_t>(at),
                                      pool.begin() + static_cast<std::ptrdiff_t>(at + n + 1)),
                    number++);
    }
  }
  std::string mode = ctx.attr_string("mode");
  std::vector<double> weights =
      ctx.has_attr("weights") ? ctx.attr_floats("weights") : std::vector<double>(indexes.size(), 1);
  std::int64_t columns = x.dims[x.rank - 1], rows = columns ? x.count() / columns : 0, width = y.dims[y.rank - 1];
  std::int64_t most = std::min(ctx.attr_int("max_gram_length"), static_cast<std::int64_t>(starts.size()));
  for (std::int64_t r : ctx.range(rows)) {
    for (std::int64_t n = std::max<std::int64_t>(1, ctx.attr_int("min_gram_length")); n <= most; ++n) {
      std::int64_t skips = n == 1 ? 0 : std::min(ctx.attr_int("max_skip_count"), columns);
      for (std::int64_t step = 1; step <= skips + 1; ++step) {
        for (std::int64_t at = 0; at + (n - 1) * step < columns && ctx.spend(1); ++at) {
          std::vector<Word> gram;
          for (std::int64_t k : ctx.range(n)) gram.push_back(word_at(r * columns + at + k * step));
          auto found = grams.find(gram);
          if (found == grams.end()) continue;
          float& out = y.as<float>()[r * width + indexes[found->second]];
          float weight = mode == "TF" ? 1.0f : static_cast<float>(weights[found->second]);
          out = mode == "IDF" ? weight : out + weight;
        }
      }
    }
  }
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  if (x.dtype == DType::string) {
    return run_words<std::string>(ctx, ctx.attr_strings("pool_strings"),
                                  [&](std::int64_t i) { return std::string(ctx.string(x.as<StringRef>()[i])); });
  }
  return run_words<std::int64_t>(ctx, ctx.attr_ints("pool_int64s"), [&](std::int64_t i) { return load_i64(x, i); });
}

}  // namespace

MOTE_DEFINE_OP(tf_idf_vectorizer) = {.name = "tf_idf_vectorizer",
                                     .doc =
                                         "For each n-gram of a pool, how often it occurs, with gaps up to "
                                         "max_skip_count.",
                                     .inputs = kInputs,
                                     .outputs = kOutputs,
                                     .attrs = kAttrs,
                                     .infer = infer};
MOTE_DEFINE_REFERENCE(tf_idf_vectorizer) = run;

}  // namespace mote
