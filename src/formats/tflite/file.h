// A verified .tflite file: its tables are safe to read, its indices in range, its shapes and buffer sizes possible.
#pragma once

#include <tflite/schema_generated.h>

#include <map>
#include <optional>
#include <string>

#include "formats/tflite/tflite.h"
#include "mote/dtype.h"

namespace mote::tflite {

// none for what has no bytes of its own (RESOURCE, VARIANT) and for types that are not known.
DType dtype_of(fbs::TensorType type);
std::string_view name_of(fbs::TensorType type);
std::string_view name_of(fbs::BuiltinOperator op);
fbs::BuiltinOperator operator_of(const fbs::OperatorCode& code);
// For messages: 'name', or tensor 7 where it has none.
std::string tensor_name(const fbs::SubGraph& graph, std::int32_t index);

template <class T>
std::vector<std::int64_t> ints_of(const flatbuffers::Vector<T>* v) {
  return v ? std::vector<std::int64_t>(v->begin(), v->end()) : std::vector<std::int64_t>();
}
inline std::string_view text_of(const flatbuffers::String* s) { return s ? s->string_view() : std::string_view(); }
template <class T>
std::size_t size_of(const flatbuffers::Vector<T>* v) {
  return v ? v->size() : 0;
}

// Bytes in some source.
struct Range {
  std::shared_ptr<const Source> source;
  std::size_t offset = 0, size = 0;
  std::span<const std::byte> bytes() const { return source->bytes().subspan(offset, size); }
};

class File {
 public:
  // Fails on anything that is not a whole, consistent file.
  static Result<File> open(std::shared_ptr<const Source> source, const ImportOptions& options);

  const fbs::Model& model() const { return *model_; }
  const std::shared_ptr<const Source>& source() const { return source_; }
  std::int32_t subgraphs() const { return static_cast<std::int32_t>(model_->subgraphs()->size()); }
  // Requires an index in range.
  const fbs::SubGraph& subgraph(std::int32_t i) const {
    return *model_->subgraphs()->Get(static_cast<flatbuffers::uoffset_t>(i));
  }
  const fbs::OperatorCode& code(const fbs::Operator& op) const {
    return *model_->operator_codes()->Get(op.opcode_index());
  }

  // The bytes of a buffer; nothing where it has none.
  Result<std::optional<Range>> buffer(std::uint32_t index) const;
  // What a tensor holds: of its buffer or of an external file, opened on first use.
  Result<std::optional<Range>> data(const fbs::Tensor& tensor);
  Result<std::optional<Range>> custom_options(const fbs::Operator& op) const;

 private:
  Status check() const;
  Status check_subgraph(const fbs::SubGraph& graph) const;
  Status check_tensor(const fbs::SubGraph& graph, std::int32_t index) const;
  Status check_operator(const fbs::SubGraph& graph, const fbs::Operator& op) const;
  Status check_signatures() const;
  Result<Range> beyond(std::uint64_t offset, std::uint64_t size, std::string_view what) const;

  std::shared_ptr<const Source> source_;
  const fbs::Model* model_ = nullptr;
  const ImportOptions* options_ = nullptr;
  std::map<std::string, std::shared_ptr<const Source>, std::less<>> external_;
};

}  // namespace mote::tflite
