#include "prepare/constants.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/checked.h"
#include "base/memory_info.h"
#include "base/pages.h"
#include "base/text.h"
#include "ops/element.h"

namespace mote {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

Result<std::int64_t> extent_count(std::span<const std::int64_t> dims, const std::string& name) {
  std::optional<std::int64_t> n = element_count(dims);
  if (!n) return invalid("constant '" + name + "' has no usable shape");
  return *n;
}

struct Axis {
  std::int64_t extent, stride;
};

// The axes in the order given, outermost first: without those of one element, neighbours in memory as one.
std::vector<Axis> axes_in_order(const TensorView& from, std::span<const std::uint8_t> order) {
  std::vector<Axis> axes;
  for (std::uint8_t a : order) {
    const Axis axis{from.dims[a], from.strides[a]};
    if (axis.extent == 1) continue;
    if (!axes.empty() && axes.back().stride == axis.stride * axis.extent) {
      axes.back() = {axes.back().extent * axis.extent, axis.stride};
    } else {
      axes.push_back(axis);
    }
  }
  return axes;
}

template <class T>
void permute_elements(const TensorView& from, std::span<const Axis> axes, std::byte* out) {
  const std::int64_t count = from.count();
  if (axes.empty() || (axes.size() == 1 && axes[0].stride == 1)) {
    if (count > 0) std::memcpy(out, from.data, static_cast<std::size_t>(count) * sizeof(T));
    return;
  }
  const Axis inner = axes.back();
  const std::span<const Axis> outer = axes.first(axes.size() - 1);
  std::int64_t index[kMaxRank] = {};
  for (std::int64_t done = 0; done < count; done += inner.extent) {
    std::int64_t offset = 0;
    for (std::size_t k = 0; k < outer.size(); ++k) offset += index[k] * outer[k].stride;
    const std::byte* p = from.data + offset * static_cast<std::int64_t>(sizeof(T));
    for (std::int64_t i = 0; i < inner.extent; ++i) {
      std::memcpy(out, p + i * inner.stride * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
      out += sizeof(T);
    }
    for (std::size_t k = outer.size(); k-- > 0;) {
      if (++index[k] < outer[k].extent) break;
      index[k] = 0;
    }
  }
}

struct Wide {
  std::uint64_t a, b;
};

// Elements of `from` in the axis order given, dense, to `out`. Requires whole bytes.
void permute(const TensorView& from, std::span<const std::uint8_t> order, std::byte* out) {
  const std::vector<Axis> axes = axes_in_order(from, order);
  switch (bits_of(from.dtype) / 8) {
    case 1:
      return permute_elements<std::uint8_t>(from, axes, out);
    case 2:
      return permute_elements<std::uint16_t>(from, axes, out);
    case 4:
      return permute_elements<std::uint32_t>(from, axes, out);
    case 8:
      return permute_elements<std::uint64_t>(from, axes, out);
    default:
      return permute_elements<Wide>(from, axes, out);
  }
}

void cast(const TensorView& from, const TensorView& to) {
  std::int64_t n = from.count();
  if (to.dtype == DType::f32 && (from.dtype == DType::f16 || from.dtype == DType::bf16)) {
    const std::uint16_t* x = from.as<std::uint16_t>();
    float* y = to.as<float>();
    for (std::int64_t i = 0; i < n; ++i) y[i] = from.dtype == DType::f16 ? f16_to_f32(x[i]) : bf16_to_f32(x[i]);
  } else if (from.dtype == DType::f32 && (to.dtype == DType::f16 || to.dtype == DType::bf16)) {
    const float* x = from.as<float>();
    std::uint16_t* y = to.as<std::uint16_t>();
    for (std::int64_t i = 0; i < n; ++i) y[i] = to.dtype == DType::f16 ? f32_to_f16(x[i]) : f32_to_bf16(x[i]);
  } else if (!is_float(from.dtype) && !is_float(to.dtype) && to.dtype != DType::boolean) {
    for (std::int64_t i = 0; i < n; ++i) store_i64(to, i, load_i64(from, i));
  } else {
    for (std::int64_t i = 0; i < n; ++i) store_f64(to, i, load_f64(from, i));
  }
}

// y = x times the factor of its position along `axis`.
void scale(const TensorView& x, const TensorView& y, int axis, const std::vector<double>& factors) {
  std::int64_t inner = x.strides[axis], block = inner * x.dims[axis], count = x.count();
  for (std::int64_t i = 0; i < count; i += inner) {
    double f = factors[static_cast<std::size_t>(i % block / inner)];
    for (std::int64_t j = i; j < i + inner; ++j) store_f64(y, j, load_f64(x, j) * f);
  }
}

}  // namespace

namespace {

// Memory for the steps of one constant, one after the other.
class Steps {
 public:
  Steps(const Constant& c, Buffer* spare) : name_(c.name), spare_(spare) {}

  Result<Buffer> take(std::int64_t bytes, bool zeroed = false) {
    bytes = std::max<std::int64_t>(bytes, 1);
    if (!spare_ || spare_->size() < bytes) {
      MOTE_ASSIGN(Buffer b, Buffer::allocate(bytes, name_, zeroed));
      if (spare_) will_be_filled(b.bytes());
      return b;
    }
    Buffer b = std::exchange(*spare_, Buffer());
    if (zeroed) std::memset(b.data(), 0, static_cast<std::size_t>(bytes));
    return b;
  }
  // Puts `b` in the place of `old`.
  void replace(Buffer& old, Buffer b) {
    std::swap(old, b);
    if (spare_ && b.size() > spare_->size()) *spare_ = std::move(b);
  }

 private:
  const std::string& name_;
  Buffer* spare_;
};

// What is stored, where it lies if that may be read as elements.
Status read_stored(const Constant& c, std::int64_t count, Steps& steps, PlainConstant& out) {
  std::span<const std::byte> stored = c.stored();
  std::int64_t bytes = bytes_of(c.stored_dtype, count);
  if (c.encoding == Encoding::kFill) {
    MOTE_ASSIGN(out.owned, steps.take(bytes));
    std::int64_t width = std::max(bits_of(c.stored_dtype) / 8, 1);
    if (count > 0 && static_cast<std::int64_t>(stored.size()) < width)
      return invalid("constant '" + c.name + "' is cut short");
    for (std::int64_t i = 0; i < bytes; ++i) out.owned.data()[i] = stored[static_cast<std::size_t>(i % width)];
    out.view = TensorView::of(out.owned.data(), c.stored_dtype, c.stored_shape);
    return {};
  }
  if (static_cast<std::int64_t>(stored.size()) < bytes) return invalid("constant '" + c.name + "' is cut short");
  std::byte* data = const_cast<std::byte*>(stored.data());  // read only
  std::size_t align =
      std::max<std::size_t>(1, std::min<std::size_t>(8, static_cast<std::size_t>(bits_of(c.stored_dtype)) / 8));
  if (reinterpret_cast<std::uintptr_t>(data) % align != 0) {
    MOTE_ASSIGN(out.owned, steps.take(bytes));
    if (bytes > 0) std::memcpy(out.owned.data(), data, static_cast<std::size_t>(bytes));
    data = out.owned.data();
  }
  out.view = TensorView::of(data, c.stored_dtype, c.stored_shape);
  return {};
}

Status apply(const Transform& t, std::int64_t count, Steps& steps, PlainConstant& out) {
  switch (t.kind) {
    case Transform::Kind::kReshape:
      out.view = TensorView::of(out.view.data, out.view.dtype, t.ints);
      break;
    case Transform::Kind::kCast: {
      MOTE_ASSIGN(Buffer b, steps.take(bytes_of(t.dtype, count), bits_of(t.dtype) < 8));
      TensorView to = TensorView::of(b.data(), t.dtype, out.view.shape());
      cast(out.view, to);
      steps.replace(out.owned, std::move(b));
      out.view = to;
      break;
    }
    case Transform::Kind::kScale: {
      MOTE_ASSIGN(Buffer b, steps.take(out.view.bytes()));
      TensorView to = TensorView::of(b.data(), out.view.dtype, out.view.shape());
      scale(out.view, to, static_cast<int>(t.ints[0]), t.scale);
      steps.replace(out.owned, std::move(b));
      out.view = to;
      break;
    }
    case Transform::Kind::kTranspose: {
      std::vector<std::uint8_t> order(t.ints.begin(), t.ints.end());
      std::vector<std::int64_t> dims;
      for (std::int64_t axis : t.ints) dims.push_back(out.view.dims[axis]);
      MOTE_ASSIGN(Buffer b, steps.take(out.view.bytes()));
      permute(out.view, order, b.data());
      out.view = TensorView::of(b.data(), out.view.dtype, dims);
      steps.replace(out.owned, std::move(b));
      break;
    }
  }
  return {};
}

}  // namespace

Result<PlainConstant> materialise(const Constant& c, Buffer* spare) {
  if (c.encoding == Encoding::kStrings) return internal_error("strings have no plain form");
  MOTE_ASSIGN(std::int64_t count, extent_count(c.stored_shape, c.name));
  if (c.stored_shape.size() > kMaxRank) return unsupported("constant '" + c.name + "' has a rank above 8");
  PlainConstant out;
  Steps steps(c, spare);
  MOTE_TRY(read_stored(c, count, steps, out));
  for (const Transform& t : c.transforms) MOTE_TRY(apply(t, count, steps, out));
  return out;
}

namespace {

// The most that materialise() allocates.
std::int64_t working_bytes(const Constant& c) {
  std::optional<std::int64_t> count = element_count(c.stored_shape);
  if (!count || c.encoding == Encoding::kStrings) return 0;
  std::int64_t now = c.encoding == Encoding::kFill ? bytes_of(c.stored_dtype, *count) : 0, most = now;
  for (const Transform& t : c.transforms) {
    if (t.kind == Transform::Kind::kReshape) continue;
    DType dtype = t.kind == Transform::Kind::kCast ? t.dtype : c.type.dtype;
    std::int64_t next = bytes_of(dtype, *count);
    most = std::max(most, now + next);
    now = next;
  }
  return most;
}

}  // namespace

std::int32_t ConstantPool::source(std::shared_ptr<const Source> s) {
  for (std::size_t i = 0; i < plan_.sources.size(); ++i) {
    if (plan_.sources[i] == s) return static_cast<std::int32_t>(i);
  }
  plan_.sources.push_back(std::move(s));
  return static_cast<std::int32_t>(plan_.sources.size()) - 1;
}

Status ConstantPool::charge(std::int64_t bytes, const Constant& c) {
  return budget_.charge(bytes, concat("weights of '", c.name, "'"));
}

Result<std::int32_t> ConstantPool::add(std::string name, DType dtype, std::vector<std::int64_t> dims, Buffer bytes,
                                       std::string packing) {
  PlanConstant k{std::move(name),   dtype, std::move(dims), 0, 0, static_cast<std::uint64_t>(bytes.size()),
                 std::move(packing)};
  k.source = source(std::make_shared<OwnedSource>(std::move(bytes)));
  plan_.constants.push_back(std::move(k));
  return static_cast<std::int32_t>(plan_.constants.size()) - 1;
}

// Smaller constants are copied: of a mapped file, each would bring what lies around it into memory.
constexpr std::int64_t kOwnPages = 256 << 10;

Result<std::int32_t> ConstantPool::plain(ConstantId id, const std::vector<std::uint8_t>& perm) {
  std::string key = "plain";
  for (std::uint8_t p : perm) key += "," + std::to_string(p);
  if (auto it = done_.find({id, key}); it != done_.end()) return it->second;
  const Constant& c = module_.constants[at(id)];
  std::int32_t index = 0;
  std::vector<std::int64_t> dims;
  for (const Dim& d : *c.type.shape) dims.push_back(d.value());
  bool in_place = c.encoding == Encoding::kStrings;
  if (!in_place) {
    ScopedCharge working(budget_);
    MOTE_TRY(working.charge(working_bytes(c), c.name));
    MOTE_ASSIGN(PlainConstant p, materialise(c));
    MOTE_TRY(charge(p.view.bytes(), c));
    bool stored = perm.empty() && !p.owned.data();
    // An empty one has a byte, too, which files keep.
    auto room = [&] {
      return Buffer::allocate(std::max<std::int64_t>(p.view.bytes(), 1), c.name, p.view.bytes() == 0);
    };
    if (stored && p.view.bytes() >= kOwnPages) {
      in_place = true;
    } else if (stored) {
      MOTE_ASSIGN(Buffer b, room());
      if (p.view.bytes() > 0) std::memcpy(b.data(), p.view.data, static_cast<std::size_t>(p.view.bytes()));
      MOTE_ASSIGN(index, add(c.name, c.type.dtype, dims, std::move(b), ""));
    } else if (perm.empty()) {
      MOTE_ASSIGN(index, add(c.name, c.type.dtype, dims, std::move(p.owned), ""));
    } else {
      MOTE_ASSIGN(Buffer b, room());
      permute(p.view, perm, b.data());
      MOTE_ASSIGN(index, add(c.name, c.type.dtype, dims, std::move(b), ""));
    }
  }
  if (!in_place) c.source->drop(c.offset, c.size);
  if (in_place) {
    plan_.constants.push_back(PlanConstant{c.name, c.type.dtype, dims, source(c.source), c.offset, c.size, ""});
    index = static_cast<std::int32_t>(plan_.constants.size()) - 1;
  }
  done_[{id, key}] = index;
  return index;
}

namespace {

// The stored matrix as its transposes would have it, uncast; nothing where other transforms or encodings are in the
// way.
std::optional<TensorView> stored_matrix(const Constant& c) {
  const bool floats = c.stored_dtype == DType::f16 || c.stored_dtype == DType::bf16 || c.stored_dtype == DType::f32;
  const bool bytes = bits_of(c.stored_dtype) == 8 && c.stored_dtype == c.type.dtype;
  if (c.encoding != Encoding::kPlain || c.stored_shape.size() != 2 || (!floats && !bytes)) return std::nullopt;
  std::optional<std::int64_t> count = element_count(c.stored_shape);
  if (!count || static_cast<std::int64_t>(c.stored().size()) < bytes_of(c.stored_dtype, *count)) return std::nullopt;
  TensorView v = TensorView::of(const_cast<std::byte*>(c.stored().data()), c.stored_dtype, c.stored_shape);
  for (const Transform& t : c.transforms) {
    bool widens = floats && t.kind == Transform::Kind::kCast && t.dtype == DType::f32;
    if (t.kind == Transform::Kind::kTranspose) {
      if (t.ints[0] == 0) continue;
      std::swap(v.dims[0], v.dims[1]);
      std::swap(v.strides[0], v.strides[1]);
    } else if (!widens) {
      return std::nullopt;
    }
  }
  return v;
}

// How many rows of so many bytes are packed at a time.
std::int64_t rows_of_part(std::int64_t row_bytes) {
  constexpr std::int64_t kPart = std::int64_t{1} << 20, kStep = 16;
  return std::max(kPart / std::max<std::int64_t>(row_bytes, 1) / kStep, std::int64_t{1}) * kStep;
}

// Packs `whole`, the stored bytes of `c`, piece by piece in the order of the file and drops the pages behind.
Status pack_in_parts(const Constant& c, const TensorView& whole, const Packing& packing, Buffer& spare,
                     std::span<std::byte> out) {
  int axis = whole.strides[0] >= whole.strides[1] ? 0 : 1;
  std::int64_t row = whole.dims[1 - axis] * bits_of(whole.dtype) / 8;
  std::int64_t rows = rows_of_part(row);
  bool aligned = bits_of(whole.dtype) == 8 || reinterpret_cast<std::uintptr_t>(whole.data) % 4 == 0;
  Buffer copy;
  if (!aligned) {
    MOTE_ASSIGN(copy, Steps(c, &spare).take(std::min(rows, whole.dims[axis]) * row));
  }
  for (std::int64_t begin = 0; begin < whole.dims[axis]; begin += rows) {
    TensorView part = whole;
    part.dims[axis] = std::min(rows, whole.dims[axis] - begin);
    part.data = whole.data + begin * row;
    if (!aligned) {
      std::memcpy(copy.data(), part.data, static_cast<std::size_t>(part.dims[axis] * row));
      part.data = copy.data();
    }
    packing.pack_part(part, axis, begin, out);
    c.source->drop(c.offset + static_cast<std::size_t>(begin * row), static_cast<std::size_t>(part.dims[axis] * row));
  }
  if (copy.size() > spare.size()) spare = std::move(copy);
  return {};
}

// Whether every transform works on each position of axis 0 by itself.
bool keeps_rows(const Constant& c) {
  std::optional<std::int64_t> count = element_count(c.stored_shape);
  if (c.encoding != Encoding::kPlain || c.stored_shape.empty() || !count || *count <= 0) return false;
  if (bits_of(c.stored_dtype) < 8 || static_cast<std::int64_t>(c.size) < bytes_of(c.stored_dtype, *count)) return false;
  return std::ranges::all_of(c.transforms, [&](const Transform& t) {
    switch (t.kind) {
      case Transform::Kind::kCast:
        return bits_of(t.dtype) >= 8;
      case Transform::Kind::kScale:
        return true;
      case Transform::Kind::kTranspose:
        return t.ints[0] == 0;
      case Transform::Kind::kReshape:
        return !t.ints.empty() && t.ints[0] == c.stored_shape[0];
    }
    return false;
  });
}

std::int64_t row_bytes(const Constant& c) {
  return bytes_of(c.stored_dtype, *element_count(c.stored_shape)) / c.stored_shape[0];
}

// Positions [begin, begin + rows) of axis 0 of a constant that keeps its rows.
Constant rows_of(const Constant& c, std::int64_t begin, std::int64_t rows) {
  Constant part = c;
  part.offset += static_cast<std::size_t>(begin * row_bytes(c));
  part.size = static_cast<std::size_t>(rows * row_bytes(c));
  part.stored_shape[0] = rows;
  (*part.type.shape)[0] = Dim(rows);
  for (Transform& t : part.transforms) {
    if (t.kind == Transform::Kind::kReshape) t.ints[0] = rows;
    if (t.kind == Transform::Kind::kScale && t.ints[0] == 0)
      t.scale = std::vector<double>(t.scale.begin() + begin, t.scale.begin() + begin + rows);
  }
  return part;
}

Status pack_in_rows(const Constant& c, const Packing& packing, Budget& budget, Buffer& spare,
                    std::span<std::byte> out) {
  std::int64_t all = c.stored_shape[0], rows = rows_of_part(row_bytes(c));
  for (std::int64_t begin = 0; begin < all; begin += rows) {
    Constant part = rows_of(c, begin, std::min(rows, all - begin));
    ScopedCharge working(budget);
    MOTE_TRY(working.charge(working_bytes(part), c.name));
    MOTE_ASSIGN(PlainConstant p, materialise(part, &spare));
    packing.pack_part(p.view, 0, begin, out);
    if (p.owned.size() > spare.size()) spare = std::move(p.owned);
    c.source->drop(part.offset, part.size);
  }
  return {};
}

}  // namespace

Result<std::int32_t> ConstantPool::packed(ConstantId id, const Packing& packing) {
  if (auto it = done_.find({id, packing.name}); it != done_.end()) return it->second;
  const Constant& c = module_.constants[at(id)];
  std::uint64_t offset = (promised_bytes_ + kAlignment - 1) / kAlignment * kAlignment;
  MOTE_TRY(charge(static_cast<std::int64_t>(packing.bytes), c));
  promised_bytes_ = offset + packing.bytes;
  auto index = static_cast<std::int32_t>(plan_.constants.size());
  plan_.constants.push_back(PlanConstant{
      c.name, DType::u8, {static_cast<std::int64_t>(packing.bytes)}, 0, offset, packing.bytes, packing.name});
  promised_.push_back({id, index, packing});
  done_[{id, packing.name}] = index;
  return index;
}

Status ConstantPool::pack_one(const Constant& c, const Packing& packing, Buffer& spare, std::span<std::byte> out) {
  if (std::optional<TensorView> whole = packing.pack_part ? stored_matrix(c) : std::nullopt) {
    MOTE_TRY(pack_in_parts(c, *whole, packing, spare, out));
  } else if (packing.pack_part && keeps_rows(c)) {
    MOTE_TRY(pack_in_rows(c, packing, budget_, spare, out));
  } else {
    ScopedCharge working(budget_);
    MOTE_TRY(working.charge(working_bytes(c), c.name));
    MOTE_ASSIGN(PlainConstant p, materialise(c));
    packing.pack(p.view, out);
  }
  c.source->drop(c.offset, c.size);
  return {};
}

Status ConstantPool::pack() {
  if (promised_.empty()) return {};
  drop_code_of_stage(promised_bytes_);
  MOTE_ASSIGN(Buffer all, Buffer::allocate(std::max<std::int64_t>(static_cast<std::int64_t>(promised_bytes_), 1),
                                           "packed weights", true));
  will_be_filled(all.bytes());
  auto packed = std::make_shared<OwnedSource>(std::move(all));
  std::int32_t index = source(packed);
  // What importing has read of them goes first: packed weights may come by large pages.
  for (const Promise& p : promised_) {
    const Constant& c = module_.constants[at(p.id)];
    c.source->drop(c.offset, c.size);
  }
  Buffer spare;
  for (const Promise& p : promised_) {
    PlanConstant& c = plan_.constants[at(p.index)];
    c.source = index;
    MOTE_TRY(pack_one(module_.constants[at(p.id)], p.packing, spare, packed->writable().subspan(c.offset, c.size)));
  }
  promised_.clear();
  return {};
}

}  // namespace mote
