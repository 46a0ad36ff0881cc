#include "formats/tflite/file.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/checked.h"
#include "base/text.h"
#include "formats/emitter.h"
#include "mote/tensor.h"

namespace mote::tflite {
namespace {

constexpr DType kTypes[] = {DType::f32,     DType::f16,  DType::i32,  DType::u8,       DType::i64,   DType::string,
                            DType::boolean, DType::i16,  DType::c64,  DType::i8,       DType::f64,   DType::c128,
                            DType::u64,     DType::none, DType::none, DType::u32,      DType::u16,   DType::i4,
                            DType::bf16,    DType::i2,   DType::u4,   DType::f8e4m3fn, DType::f8e5m2};

template <class Enum>
bool in_range(Enum e, std::size_t count) {
  auto i = static_cast<std::int64_t>(e);
  return i >= 0 && i < static_cast<std::int64_t>(count);
}

// The bytes at an address that flatbuffers reads integers from.
Result<std::shared_ptr<const Source>> aligned(std::shared_ptr<const Source> source) {
  if (reinterpret_cast<std::uintptr_t>(source->bytes().data()) % 16 == 0) return source;
  std::vector<std::byte> copy(source->bytes().begin(), source->bytes().end());
  auto again = std::make_shared<BufferSource>(std::move(copy));
  again->name = source->name;
  return std::shared_ptr<const Source>(std::move(again));
}

}  // namespace

DType dtype_of(fbs::TensorType type) {
  return in_range(type, std::size(kTypes)) ? kTypes[static_cast<std::size_t>(type)] : DType::none;
}

std::string_view name_of(fbs::TensorType type) {
  return in_range(type, std::size(kTypes)) ? fbs::EnumNameTensorType(type) : "a type that is not known";
}

std::string_view name_of(fbs::BuiltinOperator op) {
  const char* name = fbs::EnumNameBuiltinOperator(op);
  return *name ? std::string_view(name) : std::string_view("an operator that is not known");
}

fbs::BuiltinOperator operator_of(const fbs::OperatorCode& code) {
  auto old = static_cast<std::int32_t>(code.deprecated_builtin_code());
  return static_cast<fbs::BuiltinOperator>(std::max(old, static_cast<std::int32_t>(code.builtin_code())));
}

std::string tensor_name(const fbs::SubGraph& graph, std::int32_t index) {
  const fbs::Tensor* t = graph.tensors()->Get(static_cast<flatbuffers::uoffset_t>(index));
  return text_of(t->name()).empty() ? concat("tensor ", index) : quoted(text_of(t->name()));
}

bool is_tflite(std::span<const std::byte> bytes) {
  return bytes.size() >= 8 && std::memcmp(bytes.data() + 4, fbs::ModelIdentifier(), 4) == 0;
}

Result<File> File::open(std::shared_ptr<const Source> source, const ImportOptions& options) {
  File f;
  MOTE_ASSIGN(f.source_, aligned(std::move(source)));
  f.options_ = &options;
  std::span<const std::byte> bytes = f.source_->bytes();
  if (!is_tflite(bytes)) return invalid("is not a TensorFlow Lite file of version 3: bytes 4 to 7 are not TFL3");
  flatbuffers::Verifier::Options verify;
  verify.max_depth = 64;
  verify.max_tables = static_cast<flatbuffers::uoffset_t>(
      std::min<std::size_t>(4 * options.limits.max_nodes, std::numeric_limits<std::int32_t>::max()));
  // What follows 2 GB is reached by offsets of buffers alone.
  std::size_t size = std::min<std::size_t>(bytes.size(), FLATBUFFERS_MAX_BUFFER_SIZE - 1);
  flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t*>(bytes.data()), size, verify);
  if (!fbs::VerifyModelBuffer(verifier)) {
    return invalid("the flatbuffer is damaged: an offset, a length or a table points outside of the file")
        .hint("the file is cut off or was changed; fetch or convert it again");
  }
  f.model_ = fbs::GetModel(bytes.data());
  MOTE_TRY(f.check());
  return f;
}

Status File::check() const {
  if (model_->version() != 3) {
    return unsupported(concat("the file is of version ", model_->version(), " of the format; Mote reads version 3"));
  }
  if (size_of(model_->subgraphs()) == 0) return invalid("the model has no subgraph");
  if (size_of(model_->subgraphs()) > options_->limits.max_functions) return invalid("the model has too many subgraphs");
  std::size_t i = 0;
  for (const fbs::SubGraph* g : *model_->subgraphs()) {
    if (Status s = check_subgraph(*g); !s.ok()) {
      std::string_view name = text_of(g->name());
      return std::move(s).at(name.empty() ? concat("subgraph ", i) : concat("subgraph ", quoted(name)));
    }
    ++i;
  }
  return check_signatures();
}

Status File::check_subgraph(const fbs::SubGraph& graph) const {
  if (!graph.tensors()) return graph.operators() || graph.inputs() ? invalid("has no tensors") : Status();
  std::int32_t count = static_cast<std::int32_t>(graph.tensors()->size());
  for (std::int32_t t = 0; t < count; ++t) MOTE_TRY(check_tensor(graph, t));
  auto check_ports = [&](const flatbuffers::Vector<std::int32_t>* list, std::string_view what) -> Status {
    for (std::size_t k = 0; k < size_of(list); ++k) {
      std::int32_t t = list->Get(static_cast<flatbuffers::uoffset_t>(k));
      if (t < 0 || t >= count) return invalid(concat(what, " ", k, " is tensor ", t, " of ", count));
    }
    return {};
  };
  MOTE_TRY(check_ports(graph.inputs(), "input"));
  MOTE_TRY(check_ports(graph.outputs(), "output"));
  std::size_t i = 0;
  for (std::size_t k = 0; k < size_of(graph.operators()); ++k, ++i) {
    const fbs::Operator* op = graph.operators()->Get(static_cast<flatbuffers::uoffset_t>(k));
    if (Status s = check_operator(graph, *op); !s.ok()) return std::move(s).at(concat("operator ", i));
  }
  return {};
}

Status File::check_tensor(const fbs::SubGraph& graph, std::int32_t index) const {
  const fbs::Tensor& t = *graph.tensors()->Get(static_cast<flatbuffers::uoffset_t>(index));
  auto bad = [&](std::string text) { return invalid(std::move(text)).at(tensor_name(graph, index)); };
  std::vector<std::int64_t> shape = ints_of(t.shape());
  if (shape.size() > kMaxRank) {
    return unsupported(concat("has ", shape.size(), " axes; Mote has at most ", kMaxRank))
        .at(tensor_name(graph, index));
  }
  Checked bytes(16);
  for (std::int64_t d : shape) {
    if (d < 0) return bad(concat("dimension ", d, " is negative"));
    bytes *= d;
  }
  if (!bytes.ok()) return bad("dimensions overflow");
  for (std::int64_t d : ints_of(t.shape_signature())) {
    if (d < -1) return bad(concat("dimension ", d, " is negative"));
  }
  if (size_of(t.shape_signature()) != 0 && size_of(t.shape_signature()) != shape.size()) {
    return bad(concat("has ", shape.size(), " axes, but ", size_of(t.shape_signature()), " in its signature"));
  }
  if (t.buffer() >= size_of(model_->buffers()) && t.buffer() != 0) {
    return bad(concat("is in buffer ", t.buffer(), " of ", size_of(model_->buffers())));
  }
  return {};
}

Status File::check_operator(const fbs::SubGraph& graph, const fbs::Operator& op) const {
  if (op.opcode_index() >= size_of(model_->operator_codes())) {
    return invalid(concat("has operator code ", op.opcode_index(), " of ", size_of(model_->operator_codes())));
  }
  std::int32_t count = static_cast<std::int32_t>(graph.tensors()->size());
  std::string_view name = name_of(operator_of(code(op)));
  auto check_list = [&](const flatbuffers::Vector<std::int32_t>* list, std::int32_t least,
                        std::string_view what) -> Status {
    for (std::size_t k = 0; k < size_of(list); ++k) {
      std::int32_t t = list->Get(static_cast<flatbuffers::uoffset_t>(k));
      if (t < least || t >= count) return invalid(concat(name, ": ", what, " ", k, " is tensor ", t, " of ", count));
    }
    return {};
  };
  MOTE_TRY(check_list(op.inputs(), -1, "input"));
  MOTE_TRY(check_list(op.intermediates(), -1, "intermediate"));
  return check_list(op.outputs(), 0, "output");
}

Status File::check_signatures() const {
  for (std::size_t i = 0; i < size_of(model_->signature_defs()); ++i) {
    const fbs::SignatureDef& s = *model_->signature_defs()->Get(static_cast<flatbuffers::uoffset_t>(i));
    auto bad = [&](std::string text) {
      return invalid(concat("signature ", quoted(text_of(s.signature_key())), ": ", text));
    };
    if (s.subgraph_index() >= model_->subgraphs()->size()) return bad(concat("is subgraph ", s.subgraph_index()));
    const fbs::SubGraph& g = subgraph(static_cast<std::int32_t>(s.subgraph_index()));
    for (const auto* list : {s.inputs(), s.outputs()}) {
      for (std::size_t k = 0; k < size_of(list); ++k) {
        std::uint32_t t = list->Get(static_cast<flatbuffers::uoffset_t>(k))->tensor_index();
        if (t >= size_of(g.tensors())) return bad(concat("names tensor ", t, " of ", size_of(g.tensors())));
      }
    }
  }
  return {};
}

Result<Range> File::beyond(std::uint64_t offset, std::uint64_t size, std::string_view what) const {
  std::uint64_t have = source_->bytes().size();
  if (offset > have || size > have - offset) {
    return invalid(concat(what, " has bytes ", offset, " to ", offset + size, " of a file of ", have))
        .hint("the file is cut off");
  }
  return Range{source_, static_cast<std::size_t>(offset), static_cast<std::size_t>(size)};
}

Result<std::optional<Range>> File::buffer(std::uint32_t index) const {
  if (index == 0 || index >= size_of(model_->buffers())) return std::optional<Range>();
  const fbs::Buffer& b = *model_->buffers()->Get(index);
  if (b.offset() > 1) {
    MOTE_ASSIGN(Range r, beyond(b.offset(), b.size(), concat("buffer ", index)));
    return std::optional(std::move(r));
  }
  if (size_of(b.data()) == 0) return std::optional<Range>();
  auto* begin = reinterpret_cast<const std::byte*>(b.data()->data());
  return std::optional(Range{source_, static_cast<std::size_t>(begin - source_->bytes().data()), b.data()->size()});
}

Result<std::optional<Range>> File::data(const fbs::Tensor& tensor) {
  if (tensor.external_buffer() == 0) return buffer(tensor.buffer());
  const fbs::ExternalBuffer* found = nullptr;
  for (std::size_t i = 0; i < size_of(model_->external_buffers()); ++i) {
    const fbs::ExternalBuffer* b = model_->external_buffers()->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (b->id() == tensor.external_buffer()) found = b;
  }
  if (!found) return invalid(concat("there is no external buffer ", tensor.external_buffer()));
  if (found->group() >= size_of(model_->external_buffer_groups())) {
    return invalid(concat("external buffer ", found->id(), " is of group ", found->group()));
  }
  if (std::string_view packing = text_of(found->packing()); !packing.empty() && packing != "unpacked") {
    return unsupported(concat("external data in packing ", quoted(packing)));
  }
  std::string_view location = text_of(model_->external_buffer_groups()->Get(found->group())->name());
  MOTE_TRY(check_location(location));
  auto it = external_.find(location);
  if (it == external_.end()) {
    if (!options_->external_data) {
      return unsupported(
          concat("the model keeps data in another file, ", quoted(location), ", which cannot be reached here"));
    }
    MOTE_ASSIGN(std::shared_ptr<const Source> source, options_->external_data(location));
    it = external_.emplace(std::string(location), std::move(source)).first;
  }
  std::uint64_t have = it->second->bytes().size();
  if (found->offset() > have || found->length() > have - found->offset()) {
    return invalid(concat("external data: ", quoted(location), " has ", have, " bytes, but bytes ", found->offset(),
                          " to ", found->offset() + found->length(), " are wanted"))
        .hint("the data file is cut off or belongs to another model");
  }
  return std::optional(
      Range{it->second, static_cast<std::size_t>(found->offset()), static_cast<std::size_t>(found->length())});
}

Result<std::optional<Range>> File::custom_options(const fbs::Operator& op) const {
  if (op.large_custom_options_offset() > 1) {
    MOTE_ASSIGN(Range r, beyond(op.large_custom_options_offset(), op.large_custom_options_size(), "custom options"));
    return std::optional(std::move(r));
  }
  if (size_of(op.custom_options()) == 0) return std::optional<Range>();
  auto* begin = reinterpret_cast<const std::byte*>(op.custom_options()->data());
  return std::optional(
      Range{source_, static_cast<std::size_t>(begin - source_->bytes().data()), op.custom_options()->size()});
}

}  // namespace mote::tflite
