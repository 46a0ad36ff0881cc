// `.mote` files: a container of sections around prepared plans. Little-endian, 64-bit offsets; sections start at
// multiples of 64 KiB, so that weights can be mapped and used in place; a hash per section.
//
//   header   "MOTEPLAN", u32 format version, u32 section count, u64 file size, u64 hash of the section table
//   table    per section: u32 kind, u32 reserved, u64 offset, u64 size, u64 hash
//   kModule  the module that the plans were made from, as text (ir/text.h); its constants are ranges of kData
//   kPlan    one prepared plan: everything but the bytes of its constants
//   kData    last: the constants of the module and of all plans, each form once, 64-byte aligned, large ones at pages
//
// Reading checks hashes of all sections but the data (verify_data does those), counts and indices before anything is
// taken from them, and then the plan itself (verify.h): a damaged or hostile file is refused or runs inside its own
// buffers.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "plan/plan.h"

namespace mote {

inline constexpr std::uint32_t kPlanFormat = 4;

using WriteBytes = std::function<Status(std::span<const std::byte>)>;

// Writes the plans, front to back, behind the module they were made from, if it is given.
Status write_plans(std::span<const Plan* const> plans, const WriteBytes& write, const Module* module = nullptr);

// A file whose table and data have been looked at; plans and module are read when asked for.
class PlanFile {
 public:
  static Result<PlanFile> open(std::shared_ptr<const Source> source);

  // Of the plans, in order; as the file says.
  const std::vector<std::string>& targets() const { return targets_; }
  // Verified; its constants point into the source.
  Result<Plan> plan(std::size_t i) const;
  bool has_module() const { return module_.size > 0; }
  // To be verified like any that was read from text. Its constants point into the source.
  Result<Module> module(const OpLookup& ops) const;

  struct Range {
    std::uint64_t offset = 0, size = 0, hash = 0;
  };

 private:
  std::shared_ptr<const Source> source_;
  std::vector<std::string> targets_;
  std::vector<Range> plans_;
  Range module_, data_;
};

// All plans of a file.
Result<std::vector<Plan>> read_plans(const std::shared_ptr<const Source>& source);

// Checks the hashes of the data sections too. Reads every byte.
Status verify_data(std::span<const std::byte> file);

}  // namespace mote
