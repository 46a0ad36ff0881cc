// Tensors with data -> constants.
#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "formats/tflite/importer.h"

namespace mote::tflite {
namespace {

// Strings are stored as: i32 count, count + 1 offsets from the start of the buffer, the bytes.
Result<std::vector<std::byte>> decode_strings(std::span<const std::byte> bytes, std::int64_t count, std::size_t max) {
  auto number = [&](std::size_t i) {
    std::int32_t v;
    std::memcpy(&v, bytes.data() + 4 * i, 4);
    return static_cast<std::int64_t>(v);
  };
  std::size_t size = bytes.size(), head = 4 * (static_cast<std::size_t>(count) + 2);
  if (static_cast<std::size_t>(count) > size / 4 || size < head || number(0) != count) {
    return invalid(concat("its strings are damaged: ", count, " are wanted"));
  }
  if (size > max) return Status(Code::kResourceExhausted, concat("strings need more than ", max, " bytes of memory"));
  std::vector<std::byte> out;
  for (std::size_t i = 1; i <= static_cast<std::size_t>(count); ++i) {
    std::int64_t begin = number(i), end = number(i + 1);
    if (begin < static_cast<std::int64_t>(head) || end < begin || end > static_cast<std::int64_t>(size)) {
      return invalid(concat("string ", i - 1, " has bytes ", begin, " to ", end, " of ", size));
    }
    std::uint32_t n = static_cast<std::uint32_t>(end - begin);
    std::size_t at = out.size();
    out.resize(at + 4 + n);
    std::memcpy(out.data() + at, &n, 4);
    if (n != 0) std::memcpy(out.data() + at + 4, bytes.data() + begin, n);
  }
  return out;
}

void own(Constant& c, std::vector<std::byte> bytes) {
  c.offset = 0;
  c.size = bytes.size();
  c.source = std::make_shared<BufferSource>(std::move(bytes));
}

std::vector<std::int64_t> index_of(fbs::IndexVector type, const void* table) {
  if (!table) return {};
  switch (type) {
    case fbs::IndexVector::I32:
      return ints_of(static_cast<const fbs::Int32Vector*>(table)->values());
    case fbs::IndexVector::U16:
      return ints_of(static_cast<const fbs::Uint16Vector*>(table)->values());
    case fbs::IndexVector::U8:
      return ints_of(static_cast<const fbs::Uint8Vector*>(table)->values());
    default:
      return {};
  }
}

// A sparse tensor's tree of levels, walked; the format is described in schema.fbs.
class Sparse {
 public:
  Sparse(const fbs::Sparsity& s, std::vector<std::int64_t> shape, std::size_t width, std::span<const std::byte> data)
      : shape_(std::move(shape)),
        width_(width),
        data_(data),
        order_(ints_of(s.traversal_order())),
        blocked_(ints_of(s.block_map())) {
    for (std::size_t i = 0; i < size_of(s.levels()); ++i) {
      const fbs::Level& l = *s.levels()->Get(static_cast<flatbuffers::uoffset_t>(i));
      levels_.push_back({l.format() == fbs::LevelFormat::DENSE, l.dense_size(),
                         index_of(l.segments_type(), l.segments()), index_of(l.indices_type(), l.indices())});
    }
  }

  // The elements in their places among zeros.
  Result<std::vector<std::byte>> dense(std::size_t count) {
    MOTE_TRY(check());
    at_.assign(levels_.size(), 0);
    out_.resize(count * width_);
    MOTE_TRY(walk(0, 0));
    return std::move(out_);
  }

 private:
  struct Level {
    bool is_dense;
    std::int64_t size;
    std::vector<std::int64_t> segments, indices;
  };

  // The extents of the levels' axes: those of the shape, cut into blocks where there are any.
  Status check() {
    std::size_t n = shape_.size();
    if (blocked_.size() > n || levels_.size() != n + blocked_.size() || order_.size() != levels_.size())
      return invalid("its sparse levels do not match its axes");
    std::vector<char> seen(order_.size());
    for (std::int64_t axis : order_) {
      if (axis < 0 || static_cast<std::size_t>(axis) >= order_.size() || seen[static_cast<std::size_t>(axis)]++) {
        return invalid("its sparse levels are no permutation of its axes");
      }
    }
    extents_ = shape_;
    for (std::size_t b = 0; b < blocked_.size(); ++b) {
      std::size_t level = static_cast<std::size_t>(
          std::find(order_.begin(), order_.end(), static_cast<std::int64_t>(n + b)) - order_.begin());
      std::int64_t size = levels_[level].size, of = blocked_[b];
      if (!levels_[level].is_dense || of < 0 || of >= static_cast<std::int64_t>(n) || size <= 0 ||
          extents_[static_cast<std::size_t>(of)] % size != 0 ||
          extents_[static_cast<std::size_t>(of)] != shape_[static_cast<std::size_t>(of)]) {
        return invalid("its blocks do not fit its axes");
      }
      extents_[static_cast<std::size_t>(of)] /= size;
      extents_.push_back(size);
    }
    for (std::size_t l = 0; l < levels_.size(); ++l) {
      if (levels_[l].is_dense && levels_[l].size != extents_[static_cast<std::size_t>(order_[l])])
        return invalid("a dense level is of another size than its axis");
    }
    return {};
  }

  Status walk(std::size_t level, std::size_t parent) {
    if (level == levels_.size()) return put(parent);
    const Level& l = levels_[level];
    std::int64_t extent = extents_[static_cast<std::size_t>(order_[level])];
    if (l.is_dense) {
      for (std::int64_t i = 0; i < l.size; ++i) {
        at_[static_cast<std::size_t>(order_[level])] = i;
        MOTE_TRY(walk(level + 1, parent * static_cast<std::size_t>(l.size) + static_cast<std::size_t>(i)));
      }
      return {};
    }
    if (parent + 1 >= l.segments.size()) return invalid("its sparse segments end too early");
    std::int64_t begin = l.segments[parent], end = l.segments[parent + 1];
    if (begin < 0 || end < begin || end > static_cast<std::int64_t>(l.indices.size()) || end - begin > extent)
      return invalid("its sparse segments are out of order");
    for (std::int64_t i = begin; i < end; ++i) {
      std::int64_t index = l.indices[static_cast<std::size_t>(i)];
      if (index < 0 || index >= extent) return invalid(concat("sparse index ", index, " is outside of the axis"));
      at_[static_cast<std::size_t>(order_[level])] = index;
      MOTE_TRY(walk(level + 1, static_cast<std::size_t>(i)));
    }
    return {};
  }

  Status put(std::size_t value) {
    if (value >= data_.size() / width_) return invalid("has fewer values than its sparse indices");
    std::int64_t to = 0;
    for (std::size_t d = 0; d < shape_.size(); ++d) {
      std::int64_t i = at_[d];
      for (std::size_t b = 0; b < blocked_.size(); ++b) {
        if (blocked_[b] == static_cast<std::int64_t>(d)) i = i * extents_[shape_.size() + b] + at_[shape_.size() + b];
      }
      to = to * shape_[d] + i;
    }
    std::memcpy(out_.data() + static_cast<std::size_t>(to) * width_, data_.data() + value * width_, width_);
    return {};
  }

  std::vector<std::int64_t> shape_, extents_, at_;
  std::size_t width_;
  std::span<const std::byte> data_;
  std::vector<std::int64_t> order_, blocked_;
  std::vector<Level> levels_;
  std::vector<std::byte> out_;
};

}  // namespace

Result<Constant> constant_of(const fbs::SubGraph& graph, std::int32_t index, File& file, std::size_t max_bytes) {
  const fbs::Tensor& t = *graph.tensors()->Get(static_cast<flatbuffers::uoffset_t>(index));
  MOTE_ASSIGN(std::optional<Range> data, file.data(t));
  Constant c;
  c.name = text_of(t.name());
  c.stored_dtype = dtype_of(t.type());
  c.stored_shape = ints_of(t.shape());
  c.type = Type::tensor(c.stored_dtype, Shape(c.stored_shape.begin(), c.stored_shape.end()));
  if (c.stored_dtype == DType::none) return unsupported(concat("holds data of type ", name_of(t.type())));
  std::int64_t count = volume(*c.type.shape).value();
  if (t.sparsity()) {
    std::size_t width = static_cast<std::size_t>(bits_of(c.stored_dtype)) / 8;
    if (width == 0 || c.stored_dtype == DType::string)
      return unsupported(concat("holds sparse data of type ", name_of(t.type())));
    if (static_cast<std::uint64_t>(count) > max_bytes / width) {
      return Status(Code::kResourceExhausted,
                    concat("sparse weights of ", count, " elements need more than ", max_bytes, " bytes of memory"));
    }
    Sparse sparse(*t.sparsity(), c.stored_shape, width, data ? data->bytes() : std::span<const std::byte>());
    MOTE_ASSIGN(std::vector<std::byte> dense, sparse.dense(static_cast<std::size_t>(count)));
    own(c, std::move(dense));
    return c;
  }
  if (c.stored_dtype == DType::string) {
    if (!data && count == 0) data = Range{file.source(), 0, 0};
    std::vector<std::byte> bytes;
    if (count != 0) {
      MOTE_ASSIGN(bytes, decode_strings(data->bytes(), count, max_bytes));
    }
    c.encoding = Encoding::kStrings;
    own(c, std::move(bytes));
    return c;
  }
  std::int64_t bytes = bytes_of(c.stored_dtype, count);
  std::size_t have = data ? data->size : 0;
  if (static_cast<std::int64_t>(have) != bytes) {
    return invalid(concat("has ", have, " bytes of data, but ", name_of(c.stored_dtype), " of ",
                          shape_text(c.stored_shape), " needs ", bytes));
  }
  c.size = have;
  c.source = data ? data->source : file.source();
  c.offset = data ? data->offset : 0;
  if (c.stored_dtype == DType::boolean) {
    // Booleans are 0 or 1 in memory; a file may say otherwise.
    std::vector<std::byte> values(c.stored().begin(), c.stored().end());
    bool odd = false;
    for (std::byte& b : values) {
      odd = odd || b > std::byte{1};
      b = b != std::byte{0} ? std::byte{1} : std::byte{0};
    }
    if (odd) own(c, std::move(values));
  }
  return c;
}

}  // namespace mote::tflite
