// What a .mote file of unknown origin is put through: what loads and verifies is run twice, with other extents for its
// symbols the second time, within 16 MB and half a second.
#pragma once

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "api/engine.h"
#include "base/thread_pool.h"
#include "mutate_plan.h"
#include "plan/file.h"

namespace mote::fuzz {

constexpr std::int64_t kMaxBytes = 16 << 20;

// Pages that nothing may write to, as of a mapped file.
class ReadOnly final : public Source {
 public:
  ReadOnly(const std::uint8_t* data, std::size_t size) : size_(size) {
    void* p = mmap(nullptr, size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) std::abort();
    data_ = static_cast<std::byte*>(p);
    if (size != 0) std::memcpy(p, data, size);
    mprotect(p, size + 1, PROT_READ);
  }
  ~ReadOnly() override { munmap(data_, size_ + 1); }
  std::span<const std::byte> bytes() const override { return {data_, size_}; }

 private:
  std::byte* data_;
  std::size_t size_;
};

// Half of the files, by their hash, as such pages, half in memory whose end the sanitizer watches.
inline std::shared_ptr<const Source> source(const std::uint8_t* data, std::size_t size) {
  if (size > 0 && data[std::min<std::size_t>(size - 1, 24)] % 2 == 0)
    return std::make_shared<const ReadOnly>(data, size);
  std::vector<std::byte> bytes(size);
  if (size != 0) std::memcpy(bytes.data(), data, size);
  return std::make_shared<const BufferSource>(std::move(bytes));
}

// An input's memory, and what is in it: small numbers.
struct Input {
  DType dtype;
  std::size_t size;
  std::unique_ptr<std::byte[]> bytes;

  std::byte at(std::size_t b) const {
    if (dtype == DType::f32 && b % 4 == 3) return std::byte{0x3f};
    return static_cast<std::byte>(b % 8 == 0 ? b / 8 % 3 : 0);
  }
};

// Memory that ends where the tensor ends; false where the input is too large to be given.
inline bool bind_input(Context& context, int i, std::int64_t symbol, std::vector<Input>& memory) {
  const PlanValue& info = context.input_info(i);
  const Plan& plan = context.linked().plan;
  const PlanFunction& function = plan.functions[static_cast<std::size_t>(plan.signatures[0].function)];
  if (info.kind != Type::Kind::kTensor) {
    return context.set_input_absent(i).ok() || context.set_input_list(i, {}).ok();
  }
  std::vector<std::int64_t> symbols(function.symbols.size(), symbol), dims;
  std::int64_t count = 1;
  for (Extent e : info.dims) {
    dims.push_back(evaluate(function, e, symbols));
    if (dims.back() < 0 || dims.back() > (1 << 16) || (count *= dims.back()) > (1 << 16)) return false;
  }
  if (info.dtype == DType::string) {
    return context.set_input_strings(i, dims, std::vector<std::string>(static_cast<std::size_t>(count), "ab")).ok();
  }
  memory.push_back({info.dtype, static_cast<std::size_t>(bytes_of(info.dtype, count)), nullptr});
  memory.back().bytes = std::make_unique<std::byte[]>(memory.back().size);
  for (std::size_t b = 0; b < memory.back().size; ++b) memory.back().bytes[b] = memory.back().at(b);
  return context.set_input(i, TensorView::of(memory.back().bytes.get(), info.dtype, dims)).ok();
}

inline void run(Context& context, std::int64_t symbol) {
  std::vector<Input> memory;
  for (int i = 0; i < context.input_count(); ++i) {
    if (!context.is_state_input(i) && !bind_input(context, i, symbol, memory)) return;
  }
  Status s = context.run({.deadline_ns = Stop::now_ns() + 500'000'000});
  for (const Input& input : memory) {
    for (std::size_t b = 0; b < input.size; ++b) {
      if (input.bytes[b] != input.at(b)) std::abort();
    }
  }
  if (!s.ok() && s.message().empty()) std::abort();
  if (!s.ok()) return;
  // Results can be read to their last byte.
  volatile unsigned sum = 0;
  for (int i = 0; i < context.output_count(); ++i) {
    if (!context.output_present(i) || context.output_list(i)) continue;
    if (!context.output(i).dense() && !context.is_state_output(i)) std::abort();
    Result<TensorView> dense = context.dense_output(i);
    if (!dense.ok()) continue;
    const TensorView& y = *dense;
    for (std::int64_t b = 0; b < y.bytes(); ++b) sum = sum + static_cast<unsigned>(y.data[b]);
  }
}

inline void try_plan(const std::uint8_t* data, std::size_t size) {
  auto file = source(data, size);
  (void)verify_data(file->bytes());
  Result<std::shared_ptr<const LinkedPlan>> linked = api::open_plan(file, {});
  if (!linked.ok()) {
    if (linked.status().message().empty()) std::abort();
    return;
  }
  (void)api::describe(**linked);
  Result<std::unique_ptr<Context>> context = Context::create(*linked, {.threads = 1, .max_bytes = kMaxBytes});
  if (!context.ok()) return;
  run(**context, 3);
  run(**context, 5);
}

// The file of changed plans; empty where they cannot be written.
inline std::vector<std::uint8_t> write(const std::vector<Plan*>& plans) {
  std::vector<const Plan*> written;
  for (Plan* plan : plans) {
    // The writer reads constants where the plan says they are.
    for (PlanConstant& c : plan->constants) {
      std::uint64_t have = plan->sources[0]->bytes().size();
      c.source = 0;
      c.offset = std::min(c.offset, have);
      c.size = std::min(c.size, have - c.offset);
    }
    written.push_back(plan);
  }
  std::vector<std::uint8_t> out;
  Status status = write_plans(written, [&](std::span<const std::byte> bytes) -> Status {
    auto p = reinterpret_cast<const std::uint8_t*>(bytes.data());
    out.insert(out.end(), p, p + bytes.size());
    return {};
  });
  if (!status.ok()) out.clear();
  return out;
}

}  // namespace mote::fuzz
