#include "run_model.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "api/engine.h"
#include "api/preparing.h"
#include "bake.h"
#include "ir/infer.h"
#include "ops/ops.h"

namespace mote::conformance {
namespace {

Result<Module> import_file(const std::shared_ptr<const Source>& file) {
  onnx::ImportOptions options;
  options.ops = &builtin_ops();
  return onnx::import_onnx(file, options);
}

TensorView view_of(const TestValue& v) {
  static std::byte nothing[64];
  std::byte* data = v.bytes.empty() ? nothing : const_cast<std::byte*>(v.bytes.data());  // NOLINT: only read
  return TensorView::of(data, v.dtype, v.shape);
}

}  // namespace

Status bind_input(Context& context, int i, const TestValue& v) {
  if (v.shape.size() > kMaxRank) return unsupported("rank " + std::to_string(v.shape.size()));
  switch (v.kind) {
    case TestValue::Kind::kNothing:
      return context.set_input_absent(i);
    case TestValue::Kind::kList: {
      std::vector<TensorView> items;
      for (const TestValue& item : v.items) {
        if (item.kind != TestValue::Kind::kTensor) return unsupported("a sequence of sequences as an input");
        items.push_back(view_of(item));
      }
      return context.set_input_list(i, items);
    }
    case TestValue::Kind::kTensor:
      break;
  }
  // An optional that holds a tensor is passed as a list of one.
  if (context.input_info(i).kind != Type::Kind::kTensor) {
    TensorView one = view_of(v);
    return context.set_input_list(i, std::span(&one, 1));
  }
  if (v.dtype == DType::string) return context.set_input_strings(i, v.shape, v.strings);
  return context.set_input(i, view_of(v));
}

namespace {

TestValue copy_of(const Context& context, const TensorView& view) {
  TestValue v;
  v.dtype = view.dtype;
  v.shape.assign(view.shape().begin(), view.shape().end());
  if (view.dtype == DType::string) {
    for (std::int64_t k = 0; k < view.count(); ++k) v.strings.emplace_back(context.string(view.as<StringRef>()[k]));
  } else {
    v.bytes.assign(view.data, view.data + view.bytes());
  }
  return v;
}

}  // namespace

TestValue output_of(const Context& context, int i) {
  TestValue v;
  if (!context.output_present(i)) {
    v.kind = TestValue::Kind::kNothing;
    return v;
  }
  const OwnedList* list = context.output_list(i);
  if (!list) return copy_of(context, context.output(i));
  v.kind = TestValue::Kind::kList;
  for (const auto& item : *list) v.items.push_back(copy_of(context, item.view));
  if (context.output_info(i).kind != Type::Kind::kOptional) return v;
  if (!v.items.empty()) return std::move(v.items[0]);
  v.kind = TestValue::Kind::kNothing;
  return v;
}

Result<Module> load_module(const std::shared_ptr<const Source>& file) {
  MOTE_ASSIGN(Module module, import_file(file));
  Inference inference(module);
  MOTE_TRY(inference.run());
  return module;
}

// The plan as another process finds it: written to a file, mapped and verified.
Result<std::shared_ptr<const LinkedPlan>> through_file(const LinkedPlan& linked) {
  char path[] = "/tmp/mote_conformance_XXXXXX";
  int fd = mkstemp(path);
  if (fd < 0) return Status(Code::kIo, "no temporary file could be made");
  close(fd);
  Status saved = api::save_plan(linked, path);
  Result<std::shared_ptr<const Source>> mapped = api::map_file(path);
  unlink(path);
  MOTE_TRY(std::move(saved));
  if (!mapped.ok()) return std::move(mapped).status();
  return api::open_plan(*std::move(mapped));
}

Result<std::unique_ptr<Context>> make_context(Module module, const std::string& column) {
  LoadOptions options;
  options.optimise = column != "nopass";
  MOTE_ASSIGN(std::shared_ptr<const LinkedPlan> linked, api::build(std::move(module), options));
  if (column == "saved") {
    MOTE_ASSIGN(linked, through_file(*linked));
  }
  ContextOptions context_options;
  context_options.threads = 1;
  return Context::create(linked, context_options);
}

Result<std::vector<TestValue>> run_model(const std::shared_ptr<const Source>& file,
                                         const std::vector<NamedValue>& inputs, const std::string& column) {
  MOTE_ASSIGN(Module module, import_file(file));
  if (column == "written") {
    Inference inference(module);
    MOTE_TRY(inference.run());
    MOTE_ASSIGN(std::string text, onnx::export_onnx(module));
    auto bytes = std::as_bytes(std::span(text));
    MOTE_ASSIGN(module,
                import_file(std::make_shared<BufferSource>(std::vector<std::byte>(bytes.begin(), bytes.end()))));
  }
  std::vector<std::string> baked;
  if (column == "baked" || column == "written") {
    MOTE_ASSIGN(baked, bake(module, inputs));
  }
  MOTE_ASSIGN(std::unique_ptr<Context> context, make_context(std::move(module), column));
  for (const NamedValue& in : inputs) {
    if (std::find(baked.begin(), baked.end(), in.name) != baked.end()) continue;
    int i = context->find_input(in.name);
    if (i == kNone) return invalid("the plan has no input '" + in.name + "'");
    if (Status s = bind_input(*context, i, in.value); !s.ok()) return std::move(s).at("input '" + in.name + "'");
  }
  MOTE_TRY(context->run());
  std::vector<TestValue> outputs;
  for (int i = 0; i < context->output_count(); ++i) outputs.push_back(output_of(*context, i));
  return outputs;
}

}  // namespace mote::conformance
