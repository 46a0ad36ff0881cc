// `.mote` files: a container of sections around prepared plans. Little-endian, 64-bit offsets; sections start at
// multiples of 64 KiB, so that weights can be mapped and used in place; a hash per section.
//
//   header   "MOTEPLAN", u32 format version, u32 section count, u64 file size, u64 hash of the section table
//   table    per section: u32 kind, u32 reserved, u64 offset, u64 size, u64 hash
//   kPlan    one prepared plan: everything but the bytes of its constants
//   kData    the constants of the plan before it, 64-byte aligned
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

inline constexpr std::uint32_t kPlanFormat = 2;

using WriteBytes = std::function<Status(std::span<const std::byte>)>;

// Writes the plans, front to back.
Status write_plans(std::span<const Plan* const> plans, const WriteBytes& write);

struct PlanFile {
  std::vector<Plan> plans;  // their constants point into the source
};
Result<PlanFile> read_plans(const std::shared_ptr<const Source>& source);

// Checks the hashes of the data sections too. Reads every byte.
Status verify_data(std::span<const std::byte> file);

}  // namespace mote
