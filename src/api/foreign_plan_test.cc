// Plans from files that say something else than prepare would: each is refused when it is opened, made ready or run,
// and reads and writes nothing outside of its own memory on the way (the sanitizers' build watches).
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>

#include "api/engine.h"
#include "base/checked.h"
#include "ir/text.h"
#include "ops/ops.h"
#include "plan/file.h"

namespace mote {
namespace {

// As a file would give it.
Result<std::shared_ptr<const LinkedPlan>> through_a_file(const Plan& plan) {
  std::vector<std::byte> bytes;
  const Plan* plans[] = {&plan};
  MOTE_TRY(write_plans(plans, [&](std::span<const std::byte> more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return Status();
  }));
  return api::open_plan(std::make_shared<const BufferSource>(std::move(bytes)));
}

// Inputs of ones; extents of symbols are 3.
Status run_all(Context& context) {
  const Plan& plan = context.linked().plan;
  const PlanFunction& f = plan.functions[static_cast<std::size_t>(plan.signatures[0].function)];
  std::vector<std::vector<std::byte>> memory;
  for (int i = 0; i < context.input_count(); ++i) {
    if (context.is_state_input(i)) continue;
    const PlanValue& pv = context.input_info(i);
    std::vector<std::int64_t> symbols(f.symbols.size(), 3), dims;
    for (Extent e : pv.dims) dims.push_back(evaluate(f, e, symbols));
    std::optional<std::int64_t> count = usable_count(dims);
    if (!count) return invalid("nobody can give input " + std::to_string(i));
    memory.emplace_back(static_cast<std::size_t>(bytes_of(pv.dtype, *count)), std::byte{0});
    MOTE_TRY(context.set_input(i, TensorView::of(memory.back().data(), pv.dtype, dims)));
  }
  return context.run();
}

Status all_of(const Plan& plan) {
  MOTE_ASSIGN(std::shared_ptr<const LinkedPlan> linked, through_a_file(plan));
  (void)api::describe(*linked);  // what `mote plan` prints, whether it can be run or not
  MOTE_ASSIGN(std::unique_ptr<Context> context, Context::create(linked, {.threads = 1, .max_bytes = 16 << 20}));
  for (int run = 0; run < 2; ++run) MOTE_TRY(run_all(*context));
  return {};
}

Plan plan_of(std::string_view text) {
  Result<Module> module = parse(text, builtin_ops());
  EXPECT_TRUE(module.ok()) << module.status().to_string();
  Result<std::shared_ptr<const LinkedPlan>> linked = api::build(*std::move(module), {});
  EXPECT_TRUE(linked.ok()) << linked.status().to_string();
  return (*linked)->plan;
}

PlanFunction& entry(Plan& p) { return p.functions[static_cast<std::size_t>(p.signatures[0].function)]; }

// The first step that runs `kernel`.
Step& step(Plan& p, std::string_view kernel) {
  for (PlanFunction& f : p.functions) {
    for (Step& s : f.steps) {
      if (s.kind == Step::Kind::kKernel && p.kernels[static_cast<std::size_t>(s.kernel)].name == kernel) return s;
    }
  }
  ADD_FAILURE() << "no step runs " << kernel;
  return p.functions[0].steps[0];
}

PlanValue& input(Plan& p, Step& s, std::size_t i) { return entry(p).values[static_cast<std::size_t>(s.inputs[i])]; }
PlanValue& output(Plan& p, Step& s, std::size_t i) { return entry(p).values[static_cast<std::size_t>(s.outputs[i])]; }

std::int32_t op_index(Plan& p, std::string_view name) {
  p.ops.push_back({std::string(name), builtin_ops().find(name)->version});
  return static_cast<std::int32_t>(p.ops.size()) - 1;
}

constexpr std::string_view kConv = R"(module "conv"
const @w: f32[4,3,3,3] = fill [0.5]
const @b: f32[4] = [1, 2, 3, 4]
signature "main" = @main {
}
func @main(%x: f32[1,3,5,5]) -> (%y) {
  %y = conv(%x, @w, @b) {pads=[1,1,1,1]}
}
)";
constexpr std::string_view kTransposed = R"(module "transposed"
const @w: f32[3,4,3,3] = fill [0.5]
const @b: f32[4] = [1, 2, 3, 4]
signature "main" = @main {
}
func @main(%x: f32[1,3,5,5]) -> (%y) {
  %y = conv_transpose(%x, @w, @b) {strides=[2,2]}
}
)";
constexpr std::string_view kProducts = R"(module "products"
const @w: f32[8,4] = fill [0.5]
const @b: f32[4] = [1, 2, 3, 4]
signature "main" = @main {
}
func @main(%x: f32[3,8], %v: f32[4,5]) -> (%z) {
  %y = gemm(%x, @w, @b)
  %z = matmul(%y, %v)
}
)";
constexpr std::string_view kNumbers = R"(module "numbers"
const @s: f32[3] = [1, 2, 3]
const @begin: i64[1] = [0]
symbol N = 1..8
signature "main" = @main {
}
func @main(%x: f32[N,3,4], %i: i64[N,4], %e: i64[1]) -> (%q, %k, %t) {
  %q = quantize_linear(%x, @s) {axis=1}
  %k = add(%i, %i)
  %t = slice(%x, @begin, %e)
}
)";
constexpr std::string_view kResize = R"(module "resize"
const @scales: f32[4] = [1, 1, 2, 2]
signature "main" = @main {
}
func @main(%x: f32[1,2,3,3]) -> (%y) {
  %y = resize(%x, _, @scales) {mode="linear", antialias=1}
}
)";
constexpr std::string_view kQuantized = R"(module "quantized"
const @w: i8[4,3,3,3] = fill [2]
const @s: f32[1] = [0.5]
const @z: u8[1] = [3]
const @wz: i8[1] = [0]
signature "main" = @main {
}
func @main(%x: u8[1,3,5,5]) -> (%y) {
  %c = qlinear_conv(%x, @s, @z, @w, @s, @wz, @s, @z) {pads=[1,1,1,1]}
  %y = max_pool(%c) {kernel_shape=[2,2]}
}
)";
constexpr std::string_view kBlocks = R"(module "blocks"
const @w: u4[3,16] = hex "21436587a9cb21436587a9cb21436587a9cb21436587a9cb"
const @s: f32[3,2] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
signature "main" = @main {
}
func @main(%x: f32[2,16]) -> (%y) {
  %y = matmul_nbits(%x, @w, @s) {block_size=8}
}
)";
constexpr std::string_view kSoftmax = R"(module "softmax"
const @s: f32[1] = [0.5]
const @z: u8[1] = [3]
signature "main" = @main {
}
func @main(%x: f32[2,64]) -> (%y) {
  %q = quantize_linear(%x, @s, @z)
  %y = qlinear_softmax(%q, @s) {output_dtype=dtype:i16}
}
)";
constexpr std::string_view kAppended = R"(module "appended"
symbol P = 0..64
symbol S = 1..8
const @w: u8[4,4] = fill [2]
const @s: f32[1] = [0.5]
const @z: u8[1] = [3]
signature "main" = @main {
  state "past" = input 1, output 1
}
func @main(%x: u8[1,4], %past: f32[1,P,4], %new: f32[1,1,4], %scale: f32[S]) -> (%y, %present) {
  %y = qlinear_matmul(%x, @s, @z, @w, @s, @z, @s, @z)
  %present = concat(%past, %new) {axis=1}
}
)";
constexpr std::string_view kRows = R"(module "rows"
const @i: i64[2] = [1, 2]
signature "main" = @main {
}
func @main(%x: f32[4,64]) -> (%y) {
  %n = neg(%x)
  %y = gather(%n, @i)
}
)";
constexpr std::string_view kReferences = R"(module "references"
symbol N = 1..8
signature "main" = @main {
}
func @main(%x: f32[N,N], %i: i64[]) -> (%h, %p, %d) {
  %h = hardmax(%x)
  %list = sequence_construct(%x, %x)
  %p = sequence_at(%list, %i)
  %d = det(%x)
}
)";

constexpr std::string_view kWithIndices = R"(module "with_indices"
signature "main" = @main {
}
func @main(%x: f32[1,1,4,4]) -> (%y, %i) {
  %y, %i = max_pool(%x) {kernel_shape=[2,2]}
}
)";
constexpr std::string_view kLoop = R"(module "loop"
const @never: i64[] = [0]
signature "main" = @main {
}
func @main(%c: boolean[], %x: f32[2,3]) -> (%last, %all) {
  %last, %all = loop(@never, %c, %x) {carried=1} [@body]
}
func @body(%i: i64[], %c: boolean[], %x: f32[2,3]) -> (%c, %y, %y) {
  %y = relu(%x)
}
)";

// Operand i of a step, packed weights, lies in the arena, where no word may begin.
void misalign(Plan& p, Step& s, std::size_t i) {
  PlanValue& v = input(p, s, i);
  v.place = Place::kArena;
  v.dtype = DType::u8;
  v.dims = {1 << 14};
  v.rank = 1;
  v.offset = 1;
  entry(p).arena_bytes = 1 << 16;
}

constexpr std::string_view kPadded = R"(module "padded"
const @pads: i64[4] = [1, 1, 1, 1]
const @w: f32[4,4,1,1] = fill [0.5]
signature "main" = @main {
}
func @main(%x: f32[4,6], %i: f32[2,4,3,3]) -> (%z, %d) {
  %a = relu(%x)
  %b = pad(%a, @pads)
  %c = softmax(%b)
  %z = transpose(%c)
  %e = relu(%i)
  %f = conv(%e, @w)
  %g = concat(%e, %f) {axis=1}
  %h = conv(%f, @w)
  %d = concat(%g, %h) {axis=1}
}
)";

struct Damage {
  const char* what;
  std::string_view text;
  std::function<void(Plan&)> change;
};

const Damage kDamages[] = {
    {"a convolution's bias of bytes", kConv, [](Plan& p) { input(p, step(p, "conv"), 2).dtype = DType::u8; }},
    {"a convolution whose kernel overflows", kConv,
     [](Plan& p) {
       // Extents of the window, behind the number of groups and its rank.
       std::int64_t much = std::int64_t{1} << 31;
       for (std::size_t at : {16, 24, 32}) std::memcpy(step(p, "conv").params.data() + at, &much, 8);
     }},
    {"a convolution whose padding has no magnitude", kConv,
     [](Plan& p) {
       std::int64_t least = std::numeric_limits<std::int64_t>::min();
       std::memcpy(step(p, "conv").params.data() + 104, &least, 8);
     }},
    {"a transposed convolution's bias of bytes", kTransposed,
     [](Plan& p) { input(p, step(p, "conv_transpose"), 2).dtype = DType::u8; }},
    {"a transposed convolution of endless phases", kTransposed,
     [](Plan& p) {
       std::int64_t much = 1 << 20;
       for (std::size_t at : {40, 48}) std::memcpy(step(p, "conv_transpose").params.data() + at, &much, 8);
     }},
    {"a product's bias of bytes", kProducts, [](Plan& p) { input(p, step(p, "dot"), 2).dtype = DType::u8; }},
    {"packed weights of a product at an odd place", kProducts, [](Plan& p) { misalign(p, step(p, "dot"), 1); }},
    {"packed weights of a convolution at an odd place", kConv, [](Plan& p) { misalign(p, step(p, "conv"), 1); }},
    {"packed weights of a transposed convolution at an odd place", kTransposed,
     [](Plan& p) { misalign(p, step(p, "conv_transpose"), 1); }},
    {"a right side of bytes", kProducts,
     [](Plan& p) {
       for (Step& s : entry(p).steps) {
         if (s.inputs.size() > 1 && input(p, s, 1).place == Place::kInput) input(p, s, 1).dtype = DType::u8;
       }
     }},
    {"integers into bytes", kNumbers, [](Plan& p) { output(p, step(p, "elementwise"), 0).dtype = DType::i16; }},
    {"one scale for three", kNumbers,
     [](Plan& p) {
       input(p, step(p, "scale"), 1).strides = {0};
       input(p, step(p, "scale"), 1).offset = 8;
     }},
    {"an offset that no memory reaches", kNumbers,
     [](Plan& p) {
       PlanValue& v = input(p, step(p, "scale"), 1);
       v.strides = {std::int64_t{1} << 45};
     }},
    {"a result that ends far before it begins", kNumbers,
     [](Plan& p) {
       PlanFunction& f = entry(p);
       f.exprs.push_back({{{ExprOp::kConst, -(std::int64_t{1} << 60)}}, ""});
       const Extent back = ~static_cast<Extent>(f.exprs.size() - 1);
       for (PlanValue& v : f.values) {
         if (v.place == Place::kOutput) v.strides.assign(v.dims.size(), back);
       }
     }},
    {"extents whose product overflows", kNumbers,
     [](Plan& p) {
       for (PlanValue& v : entry(p).values) {
         if (v.place == Place::kOutput && v.dims.size() == 2) v.dims = {std::int64_t{1} << 40, std::int64_t{1} << 40};
       }
     }},
    {"extents whose product overflows beside an empty one", kNumbers,
     [](Plan& p) {
       for (PlanValue& v : entry(p).values) {
         if (v.place == Place::kOutput && v.dims.size() == 3)
           v.dims = {0, std::int64_t{1} << 40, std::int64_t{1} << 40};
       }
     }},
    {"an expression that overflows", kNumbers,
     [](Plan& p) {
       for (Expr& e : entry(p).exprs) {
         e.code.push_back({ExprOp::kConst, INT64_MIN});
         e.code.push_back({ExprOp::kMod, 0});
       }
     }},
    {"a result at an offset that no memory reaches", kNumbers,
     [](Plan& p) {
       PlanFunction& f = entry(p);
       PlanValue& result = f.values[static_cast<std::size_t>(f.outputs[0])];
       result.offset = std::numeric_limits<std::int64_t>::max();
       f.results[static_cast<std::size_t>(result.index)] = 64;
     }},
    {"a scale that gives another extent", kResize,
     [](Plan& p) {
       double little = 1e-12;
       std::vector<std::byte>& params = step(p, "resize").params;
       // The factors stand behind the rule (four 32-bit words, padding, one double) and the fill.
       for (std::size_t at = 0; at + 8 <= params.size(); at += 8) {
         double v;
         std::memcpy(&v, params.data() + at, 8);
         if (v == 2) std::memcpy(params.data() + at, &little, 8);
       }
     }},
    {"integer weights laid out for another CPU", kQuantized,
     [](Plan& p) {
       // Bytes of k in a step, behind the window, three sizes and ten words: two or four.
       std::byte& depth = step(p, "quantized").params[192];
       depth = depth == std::byte{2} ? std::byte{4} : std::byte{2};
     }},
    {"a pool of bytes over an endless window", kQuantized,
     [](Plan& p) {
       std::int64_t much = std::int64_t{1} << 31;
       for (std::size_t at : {16, 24}) std::memcpy(step(p, "qmap.pool").params.data() + at, &much, 8);
     }},
    {"a result of no iteration that no memory holds", kLoop,
     [](Plan& p) {
       for (PlanFunction& f : p.functions) {
         for (PlanValue& v : f.values) {
           if (f.name == "body" && v.name == "y") v.dims = {std::int64_t{1} << 40, std::int64_t{1} << 40};
         }
       }
     }},
    {"weights in blocks of an endless depth", kBlocks,
     [](Plan& p) {
       std::int64_t much = std::numeric_limits<std::int64_t>::max();
       std::memcpy(step(p, "dot").params.data(), &much, 8);
     }},
    {"a scale that is there when the state has grown", kAppended,
     [](Plan& p) {
       PlanFunction& f = entry(p);
       const std::int32_t scale = f.inputs[3];
       step(p, "quantized").inputs[1] = scale;
       Expr few{{}, "min(P / 4, 1)"};
       const auto past = std::ranges::find(f.symbols, "P") - f.symbols.begin();
       for (ExprOp op : {ExprOp{ExprOp::kSymbol, past}, ExprOp{ExprOp::kConst, 4}, ExprOp{ExprOp::kFloorDiv},
                         ExprOp{ExprOp::kConst, 1}, ExprOp{ExprOp::kMin}})
         few.code.push_back(op);
       f.exprs.push_back(few);
       f.values[static_cast<std::size_t>(scale)].dims[0] = ~static_cast<Extent>(f.exprs.size() - 1);
     }},
    {"a result that begins inside of its operand", kPadded,
     [](Plan& p) { input(p, step(p, "pad"), 0).offset = output(p, step(p, "pad"), 0).offset + 40; }},
    {"a result that begins where its operand does", kPadded,
     [](Plan& p) { input(p, step(p, "pad"), 0).offset = output(p, step(p, "pad"), 0).offset; }},
    {"a softmax whose results lie on what it reads", kSoftmax,
     [](Plan& p) {
       Step& s = step(p, "qmap.softmax");
       PlanValue& y = output(p, s, 0);
       y.place = Place::kArena;
       y.offset = input(p, s, 0).offset;
       entry(p).arena_bytes = 1 << 12;
     }},
    {"rows that are gathered onto what they come from", kRows,
     [](Plan& p) {
       Step& s = step(p, "gather");
       PlanValue& y = output(p, s, 0);
       y.place = Place::kArena;
       y.offset = input(p, s, 0).offset + 248;
       entry(p).arena_bytes = 1 << 12;
     }},
    {"a reference of another op", kReferences,
     [](Plan& p) { step(p, "reference.hardmax").op = op_index(p, "negative_log_likelihood_loss"); }},
    {"a list for a tensor", kReferences,
     [](Plan& p) { step(p, "reference.hardmax").inputs[0] = step(p, "reference.sequence_at").inputs[0]; }},
    {"a list for a position", kReferences,
     [](Plan& p) { step(p, "reference.sequence_at").inputs[1] = step(p, "reference.sequence_at").inputs[0]; }},
    {"a result that lies on its operand", kReferences,
     [](Plan& p) {
       Step& s = step(p, "reference.hardmax");
       PlanValue v = output(p, s, 0);
       v.name = "twin";
       entry(p).values.push_back(v);
       s.inputs[0] = static_cast<std::int32_t>(entry(p).values.size()) - 1;
     }},
};

TEST(ForeignPlan, RunsAsItIs) {
  for (std::string_view text : {kConv, kTransposed, kProducts, kNumbers, kResize, kQuantized, kBlocks, kSoftmax,
                                kAppended, kRows, kReferences, kWithIndices, kLoop, kPadded}) {
    Status s = all_of(plan_of(text));
    EXPECT_TRUE(s.ok()) << s.to_string();
  }
}

TEST(ForeignPlan, IsRefusedWhereItIsWrong) {
  for (const Damage& d : kDamages) {
    Plan p = plan_of(d.text);
    d.change(p);
    Status s = all_of(p);
    EXPECT_FALSE(s.ok()) << d.what;
    EXPECT_FALSE(!s.ok() && s.message().empty()) << d.what;
  }
}

// What an op always gives goes with the call where the file wants none of it.
TEST(ForeignPlan, NeedNotTakeAResult) {
  Plan p = plan_of(kWithIndices);
  step(p, "reference.max_pool").outputs[0] = kNone;
  Status s = all_of(p);
  EXPECT_TRUE(s.ok()) << s.to_string();
}

// What did not fit once is asked for again.
TEST(ForeignPlan, IsRefusedEachTimeItLacksScratchMemory) {
  Result<std::shared_ptr<const LinkedPlan>> linked = through_a_file(plan_of(kTransposed));
  ASSERT_TRUE(linked.ok());
  int refused = 0;
  for (std::int64_t bytes = 1000; bytes < 20000; bytes += 1000) {
    Result<std::unique_ptr<Context>> context = Context::create(*linked, {.threads = 1, .max_bytes = bytes});
    ASSERT_TRUE(context.ok());
    Status first = run_all(**context), second = run_all(**context);
    EXPECT_EQ(first.code(), second.code());
    refused += first.code() == Code::kResourceExhausted;
  }
  EXPECT_GT(refused, 2);
  EXPECT_LT(refused, 19);
}

}  // namespace
}  // namespace mote
