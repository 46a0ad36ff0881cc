// Tensors of strings: string_concat, string_normalizer, string_split.
#include <algorithm>

#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/text/utf8.h"

namespace mote {
namespace {

constexpr Slot kConcatInputs[] = {{"x", "strings"}, {"y", "strings; broadcasts with x"}};
constexpr Slot kConcatOutputs[] = {{"z", "the broadcast shape"}};
constexpr Slot kNormalizeInputs[] = {{"x", "strings, [c] or [1, c]"}};
constexpr Slot kNormalizeOutputs[] = {{"y", "what remains; one empty string if nothing does"}};
constexpr AttrSpec kNormalizeAttrs[] = {
    {"case_change_action", AttrKind::kString, "\"NONE\"", "\"LOWER\", \"UPPER\" or \"NONE\""},
    {"is_case_sensitive", AttrKind::kInt, "0", "whether stop words are compared with their case"},
    {"locale", AttrKind::kString, "\"\"", "not used: case is that of Latin, Greek and Cyrillic letters everywhere"},
    {"stopwords", AttrKind::kStrings, "strings:[]", "words to remove"},
};
constexpr Slot kSplitInputs[] = {{"x", "strings"}};
constexpr Slot kSplitOutputs[] = {{"y", "one axis more than x: the parts, then empty strings"},
                                  {"z", "i64, shape of x: how many parts"}};
constexpr AttrSpec kSplitAttrs[] = {
    {"delimiter", AttrKind::kString, "\"\"", "what separates parts; empty: any run of white space"},
    {"maxsplit", AttrKind::kInt, "", "the most cuts, from the left; default: any number"},
};

Status infer_concat(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kString));
  MOTE_TRY(check_dtype(ctx, 1, kString));
  MOTE_ASSIGN(std::optional<Shape> shape, broadcast_inputs(ctx, 0, 2));
  output_maybe(ctx, 0, DType::string, std::move(shape));
  return {};
}

Status run_concat(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &y = ctx.in(1);
  MOTE_ASSIGN(TensorView z, infer_out(ctx));
  Status status;
  walk<3>(ctx, z.shape(), {dense_strides(z.shape()), broadcast_strides(x, z.rank), broadcast_strides(y, z.rank)},
          [&](const auto& at) {
            std::string s(ctx.string(x.as<StringRef>()[at[1]]));
            s += ctx.string(y.as<StringRef>()[at[2]]);
            Result<StringRef> ref = ctx.add_string(s);
            if (ref.ok()) {
              z.as<StringRef>()[at[0]] = *ref;
            } else if (status.ok()) {
              status = ref.status();
            }
          });
  return status;
}

Status infer_normalize(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kString));
  MOTE_TRY(check_rank(ctx, 0, 1, 2));
  std::string action = ctx.attr_string("case_change_action");
  if (action != "NONE" && action != "LOWER" && action != "UPPER") {
    return ctx.error("case_change_action '" + action + "' is not LOWER, UPPER or NONE");
  }
  if (!ctx.has_rank(0)) {
    output_maybe(ctx, 0, DType::string, std::nullopt);
    return {};
  }
  Shape out = ctx.shape(0);
  if (out.size() == 2 && out[0].is_const() && !out[0].is(1))
    return ctx.error("x of shape " + to_string(out) + " is not [1, c]");
  out.back() = ctx.fresh();
  ctx.output(0, DType::string, std::move(out));
  return {};
}

Status run_normalize(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  std::string action = ctx.attr_string("case_change_action");
  bool exact = ctx.attr_int("is_case_sensitive") != 0;
  std::vector<std::string> stop = ctx.attr_strings("stopwords"), kept;
  if (!exact) {
    for (std::string& s : stop) s = change_case(s, false);
  }
  for (std::int64_t i : ctx.range(x.count())) {
    std::string s(ctx.string(x.as<StringRef>()[i]));
    const std::string word = exact ? s : change_case(s, false);
    bool stops = false;
    for (std::size_t k : ctx.range(stop.size())) stops = stops || stop[k] == word;
    if (stops) continue;
    kept.push_back(action == "NONE" ? std::move(s) : change_case(s, action == "UPPER"));
  }
  if (kept.empty()) kept.emplace_back();
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.rank), 1);
  shape.back() = static_cast<std::int64_t>(kept.size());
  MOTE_ASSIGN(TensorView y, ctx.out(0, DType::string, shape));
  for (std::size_t i : ctx.range(kept.size())) {
    MOTE_ASSIGN(y.as<StringRef>()[i], ctx.add_string(kept[i]));
  }
  return {};
}

Status infer_split(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kString));
  std::optional<Shape> parts;
  if (ctx.has_rank(0)) {
    parts = ctx.shape(0);
    parts->push_back(ctx.fresh());
  }
  output_maybe(ctx, 0, DType::string, std::move(parts));
  if (ctx.wants(1)) ctx.output(1, Type::tensor(DType::i64, ctx.type(0).shape));
  return {};
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// s.find(what, from), in pieces.
std::size_t find(ReferenceContext& ctx, std::string_view s, std::string_view what, std::size_t from) {
  for (auto [begin, end] : ctx.pieces(s.size() - from)) {
    const std::size_t at = s.substr(from + begin, end - begin + what.size() - 1).find(what);
    if (at != s.npos) return from + begin + at;
  }
  return s.npos;
}

// Ranges of `s` between delimiters.
std::vector<StringRef> split(ReferenceContext& ctx, std::string_view s, std::string_view delimiter, std::size_t most) {
  std::vector<StringRef> out;
  std::size_t at = 0;
  if (!delimiter.empty()) {
    for (std::size_t next; out.size() < most && (next = find(ctx, s, delimiter, at)) != s.npos;
         at = next + delimiter.size()) {
      out.push_back({at, next - at});
    }
    out.push_back({at, s.size() - at});
    return out;
  }
  while (ctx.spend(1)) {
    while (at < s.size() && is_space(s[at]) && ctx.spend(1)) ++at;
    if (at == s.size()) return out;
    std::size_t end = at;
    while (end < s.size() && (out.size() == most || !is_space(s[end])) && ctx.spend(1)) ++end;
    out.push_back({at, end - at});
    if (out.size() > most) return out;
    at = end;
  }
  return out;
}

Status run_split(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  std::string delimiter = ctx.attr_string("delimiter");
  std::int64_t given = ctx.has_attr("maxsplit") ? ctx.attr_int("maxsplit") : -1;
  std::size_t most = given < 0 ? std::string::npos - 1 : static_cast<std::size_t>(given);
  auto parts = [&](std::int64_t i) { return split(ctx, ctx.string(x.as<StringRef>()[i]), delimiter, most); };
  std::int64_t width = 0;
  for (std::int64_t i : ctx.range(x.count())) width = std::max(width, static_cast<std::int64_t>(parts(i).size()));
  std::vector<std::int64_t> shape(x.shape().begin(), x.shape().end());
  shape.push_back(width);
  MOTE_ASSIGN(TensorView y, ctx.out(0, DType::string, shape));
  zero(ctx, y);
  TensorView counts;
  if (ctx.wants(1)) {
    MOTE_ASSIGN(counts, ctx.out(1, DType::i64, x.shape()));
  }
  for (std::int64_t i : ctx.range(x.count())) {
    std::uint64_t base = x.as<StringRef>()[i].offset;
    std::vector<StringRef> found = parts(i);
    // Parts are ranges of the string they come from.
    for (std::size_t k : ctx.range(found.size())) {
      y.as<StringRef>()[i * width + static_cast<std::int64_t>(k)] = {base + found[k].offset, found[k].length};
    }
    if (ctx.wants(1)) counts.as<std::int64_t>()[i] = static_cast<std::int64_t>(found.size());
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(string_concat) = {.name = "string_concat",
                                 .doc = "Each string of x followed by that of y.",
                                 .inputs = kConcatInputs,
                                 .outputs = kConcatOutputs,
                                 .infer = infer_concat};
MOTE_DEFINE_REFERENCE(string_concat) = run_concat;

MOTE_DEFINE_OP(string_normalizer) = {.name = "string_normalizer",
                                     .doc = "Stop words removed, then the case of letters changed.",
                                     .inputs = kNormalizeInputs,
                                     .outputs = kNormalizeOutputs,
                                     .attrs = kNormalizeAttrs,
                                     .infer = infer_normalize,
                                     .flags = kDataDependent};
MOTE_DEFINE_REFERENCE(string_normalizer) = run_normalize;

MOTE_DEFINE_OP(string_split) = {.name = "string_split",
                                .doc = "Each string cut at a delimiter.",
                                .inputs = kSplitInputs,
                                .outputs = kSplitOutputs,
                                .attrs = kSplitAttrs,
                                .infer = infer_split,
                                .flags = kDataDependent};
MOTE_DEFINE_REFERENCE(string_split) = run_split;

}  // namespace mote
