#include "runtime/heap.h"

#include <algorithm>
#include <cstring>

namespace mote {

Status HeapBlock::reserve(Budget& budget, std::int64_t bytes, std::string_view who, std::int64_t keep) {
  if (bytes <= buffer_.size()) return {};
  std::int64_t want = std::max(bytes, std::min(buffer_.size() * 2, budget.left()));
  MOTE_TRY(budget.charge(want, who));
  Result<Buffer> grown = Buffer::allocate(want, who);
  if (!grown.ok()) {
    budget.release(want);
    return std::move(grown).status();
  }
  if (keep > 0) std::memcpy(grown->data(), buffer_.data(), static_cast<std::size_t>(std::min(keep, buffer_.size())));
  release();
  buffer_ = *std::move(grown);
  budget_ = &budget;
  return {};
}

void SpareBlocks::swap(HeapBlock& block, std::int64_t bytes) {
  if (bytes < kLeast || blocks_.empty()) return;
  auto by_size = [](const HeapBlock& a, const HeapBlock& b) { return a.capacity() < b.capacity(); };
  auto best = blocks_.end();
  for (auto b = blocks_.begin(); b != blocks_.end(); ++b) {
    if (b->capacity() >= bytes && (best == blocks_.end() || by_size(*b, *best))) best = b;
  }
  if (best == blocks_.end()) {
    blocks_.erase(std::max_element(blocks_.begin(), blocks_.end(), by_size));
    return;
  }
  std::swap(block, *best);
  if (best->capacity() == 0) blocks_.erase(best);
}

std::int64_t SpareBlocks::bytes() const {
  std::int64_t total = 0;
  for (const HeapBlock& b : blocks_) total += b.capacity();
  return total;
}

std::int64_t reach_of(const TensorView& view) {
  std::int64_t elements = 1;
  for (int d = 0; d < view.rank; ++d) {
    if (view.dims[d] == 0) return 0;
    elements += (view.dims[d] - 1) * view.strides[d];
  }
  return bytes_of(view.dtype, elements);
}

bool gapless(const TensorView& view) {
  return view.count() == 0 || (view.data != nullptr && reach_of(view) == view.bytes());
}

Status OwnedTensor::reserve_like(Budget& budget, const TensorView& from, std::string_view who) {
  if (!gapless(from)) return invalid("a list takes dense tensors").at(std::string(who));
  MOTE_TRY(memory.reserve(budget, from.bytes(), who));
  view = from;
  view.data = memory.data();
  return {};
}

Status OwnedTensor::assign(Budget& budget, const TensorView& from, std::string_view who) {
  TensorView source = from;  // which may be of this tensor
  MOTE_TRY(reserve_like(budget, source, who));
  if (std::int64_t bytes = source.bytes(); bytes > 0)
    std::memmove(memory.data(), source.data, static_cast<std::size_t>(bytes));
  return {};
}

Result<StringRef> StringHeap::add(Budget& budget, std::string_view s) {
  if (text_.size() + s.size() > text_.capacity()) {
    // The charge covers the growth; strings live as long as the context.
    std::size_t grown = std::max(text_.size() + s.size(), text_.capacity() * 2);
    MOTE_TRY(budget.charge(static_cast<std::int64_t>(grown - text_.capacity()), "strings"));
    text_.reserve(grown);
  }
  StringRef r{text_.size(), s.size()};
  text_ += s;
  return r;
}

}  // namespace mote
