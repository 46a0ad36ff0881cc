// Constants on their way into a plan: materialised (transforms applied, straight from the mapped file), laid out or
// packed for a kernel, each form once. Packed forms come last, into one piece of memory, so that the system is asked
// for it once; source pages are dropped as soon as a packed form stands.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/budget.h"
#include "base/buffer.h"
#include "ir/module.h"
#include "plan/plan.h"
#include "plan/target.h"

namespace mote {

// Memory that a plan owns.
class OwnedSource final : public Source {
 public:
  explicit OwnedSource(Buffer buffer) : buffer_(std::move(buffer)) {}
  std::span<const std::byte> bytes() const override { return buffer_.bytes(); }
  std::span<std::byte> writable() const { return buffer_.bytes(); }

 private:
  Buffer buffer_;
};

// A constant's elements, dense and row-major, either in place or in `owned`.
struct PlainConstant {
  TensorView view;
  Buffer owned;
};

// Applies encoding and transforms. Not for strings. `spare` is used where it is large enough, and gets what is not
// needed any more: callers who materialise one constant after the other keep one for all of them.
Result<PlainConstant> materialise(const Constant& c, Buffer* spare = nullptr);

// Puts constants into a plan, sharing equal forms. What the plan holds is charged to the budget before it is allocated.
class ConstantPool {
 public:
  ConstantPool(const Module& module, Plan& plan, Budget* budget)
      : module_(module), plan_(plan), budget_(budget ? *budget : unlimited_) {}

  // The constant as elements in the axis order `perm` (empty: row-major). Index into Plan::constants.
  Result<std::int32_t> plain(ConstantId id, const std::vector<std::uint8_t>& perm);
  // The constant in a kernel's own form, whose bytes pack() makes.
  Result<std::int32_t> packed(ConstantId id, const Packing& packing);
  // Makes all that packed() promised. Once, at the end.
  Status pack();
  // Bytes that a target computed.
  Result<std::int32_t> add(std::string name, DType dtype, std::vector<std::int64_t> dims, Buffer bytes,
                           std::string packing);

 private:
  struct Promise {
    ConstantId id;
    std::int32_t index;  // of Plan::constants
    Packing packing;
  };

  std::int32_t source(std::shared_ptr<const Source> s);
  Status charge(std::int64_t bytes, const Constant& c);
  Status pack_one(const Constant& c, const Packing& packing, Buffer& spare, std::span<std::byte> out);

  const Module& module_;
  Plan& plan_;
  Budget unlimited_;
  Budget& budget_;
  std::map<std::pair<ConstantId, std::string>, std::int32_t> done_;
  std::vector<Promise> promised_;
  std::uint64_t promised_bytes_ = 0;
};

}  // namespace mote
