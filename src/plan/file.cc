#include "plan/file.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "plan/fields.h"
#include "plan/hash.h"
#include "plan/verify.h"

namespace mote {
namespace {

static_assert(std::endian::native == std::endian::little,
              "files are little-endian; a big-endian build needs swapping readers");

constexpr char kMagic[8] = {'M', 'O', 'T', 'E', 'P', 'L', 'A', 'N'};
constexpr std::uint64_t kSectionAlign = 64 << 10, kDataAlign = 64;
constexpr std::size_t kHeaderBytes = 32, kEntryBytes = 32;
constexpr std::uint32_t kMaxSections = 64;

enum SectionKind : std::uint32_t { kPlan = 1, kData = 2 };

struct Section {
  std::uint32_t kind = 0, reserved = 0;
  std::uint64_t offset = 0, size = 0, hash = 0;
};
static_assert(sizeof(Section) == kEntryBytes);

constexpr std::uint64_t up(std::uint64_t n, std::uint64_t to) { return (n + to - 1) / to * to; }

class Writer {
 public:
  std::vector<std::byte> out;

  template <class T>
  void number(T& v) {
    raw(&v, sizeof(T));
  }
  template <class T>
  void enumeration(T& v, T) {
    auto n = static_cast<std::uint8_t>(v);
    raw(&n, 1);
  }
  void flag(bool& v) {
    std::uint8_t n = v;
    raw(&n, 1);
  }
  void text(std::string& s) {
    count(s.size());
    raw(s.data(), s.size());
  }
  void bytes(std::vector<std::byte>& b) {
    count(b.size());
    raw(b.data(), b.size());
  }
  template <class T>
  void numbers(std::vector<T>& v) {
    count(v.size());
    raw(v.data(), v.size() * sizeof(T));
  }
  template <class T>
  void list(std::vector<T>& v) {
    count(v.size());
    for (T& item : v) plan_fields::each(*this, item);
  }
  void attrs(Attrs& a) {
    count(a.items().size());
    for (const auto& [name, value] : a.items()) {
      std::string n = name, v = to_string(value);
      text(n);
      text(v);
    }
  }

 private:
  void count(std::size_t n) {
    std::uint32_t c = static_cast<std::uint32_t>(n);
    raw(&c, 4);
  }
  void raw(const void* p, std::size_t n) {
    auto b = static_cast<const std::byte*>(p);
    out.insert(out.end(), b, b + n);
  }
};

// After the first failure every call leaves its argument as it is; the status says where.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> in) : in_(in) {}

  template <class T>
  void number(T& v) {
    raw(&v, sizeof(T));
  }
  template <class T>
  void enumeration(T& v, T last) {
    std::uint8_t n = 0;
    raw(&n, 1);
    if (n > static_cast<std::uint8_t>(last)) fail("an enumerator is out of range");
    if (status.ok()) v = static_cast<T>(n);
  }
  void flag(bool& v) {
    std::uint8_t n = 0;
    raw(&n, 1);
    v = n != 0;
  }
  void text(std::string& s) {
    std::size_t n = count(1);
    if (status.ok()) s.assign(reinterpret_cast<const char*>(in_.data() + at_), n);
    at_ += n;
  }
  void bytes(std::vector<std::byte>& b) {
    std::size_t n = count(1);
    if (status.ok()) b.assign(in_.data() + at_, in_.data() + at_ + n);
    at_ += n;
  }
  template <class T>
  void numbers(std::vector<T>& v) {
    std::size_t n = count(sizeof(T));
    if (!status.ok()) return;
    v.resize(n);
    raw(v.data(), n * sizeof(T));
  }
  template <class T>
  void list(std::vector<T>& v) {
    // An item takes at least four bytes; growing by push keeps memory in proportion to what is really there.
    std::size_t n = count(4);
    for (std::size_t i = 0; i < n && status.ok(); ++i) {
      v.emplace_back();
      plan_fields::each(*this, v.back());
    }
  }
  void attrs(Attrs& a) {
    std::size_t n = count(8);
    for (std::size_t i = 0; i < n && status.ok(); ++i) {
      std::string name, value;
      text(name);
      text(value);
      Result<AttrValue> parsed = parse_attr(value);
      if (!status.ok()) return;
      if (!parsed.ok()) {
        status = std::move(parsed).status();
        return;
      }
      a.set(name, *std::move(parsed));
    }
  }
  bool at_end() const { return at_ == in_.size(); }

  Status status;

 private:
  void fail(const char* message) {
    if (status.ok()) status = invalid(message).at("byte " + std::to_string(at_) + " of the plan section");
  }
  std::size_t count(std::size_t item) {
    std::uint32_t n = 0;
    raw(&n, 4);
    if (status.ok() && n > (in_.size() - at_) / item) fail("a count exceeds what is there");
    return status.ok() ? n : 0;
  }
  void raw(void* p, std::size_t n) {
    if (!status.ok()) return;
    if (n > in_.size() - at_) return fail("the plan is cut short");
    if (n > 0) std::memcpy(p, in_.data() + at_, n);
    at_ += n;
  }

  std::span<const std::byte> in_;
  std::size_t at_ = 0;
};

Status zeros(const WriteBytes& write, std::uint64_t n) {
  static constexpr std::byte kZeros[4096] = {};
  for (; n > 0; n -= std::min<std::uint64_t>(n, sizeof kZeros)) {
    MOTE_TRY(write(std::span(kZeros).first(static_cast<std::size_t>(std::min<std::uint64_t>(n, sizeof kZeros)))));
  }
  return {};
}

// The plan with its constants' offsets as they will be in its data section.
struct Laid {
  std::vector<std::byte> plan;
  std::uint64_t data_size = 0;
};

Laid lay_out(const Plan& plan) {
  Plan copy = plan;
  Laid laid;
  for (PlanConstant& c : copy.constants) {
    laid.data_size = up(laid.data_size, kDataAlign);
    c.offset = laid.data_size;
    laid.data_size += c.size;
  }
  Writer w;
  plan_fields::each(w, copy);
  laid.plan = std::move(w.out);
  return laid;
}

// The hash of a data section, which is as if the constants stood in one piece.
std::uint64_t write_data(const Plan& plan, const WriteBytes& write, Status& status) {
  std::uint64_t at = 0, hash = 0;
  for (const PlanConstant& c : plan.constants) {
    std::uint64_t from = up(at, kDataAlign);
    if (write) {
      if (status.ok()) status = zeros(write, from - at);
      if (status.ok()) status = write(plan.bytes(c));
    }
    hash = hash * 0x9e3779b97f4a7c15u + hash64(plan.bytes(c));
    at = from + c.size;
  }
  return hash;
}

struct Parsed {
  std::vector<Section> sections;
};

Result<std::vector<Section>> read_table(std::span<const std::byte> file) {
  if (file.size() < kHeaderBytes || std::memcmp(file.data(), kMagic, 8) != 0) return invalid("not a .mote file");
  std::uint32_t version = 0, count = 0;
  std::uint64_t size = 0, hash = 0;
  std::memcpy(&version, file.data() + 8, 4);
  std::memcpy(&count, file.data() + 12, 4);
  std::memcpy(&size, file.data() + 16, 8);
  std::memcpy(&hash, file.data() + 24, 8);
  if (version != kPlanFormat) {
    return unsupported("the file has format version " + std::to_string(version) + ", this build reads version " +
                       std::to_string(kPlanFormat))
        .hint("convert the model again with this version of mote");
  }
  if (size != file.size())
    return invalid("the file has " + std::to_string(file.size()) + " bytes, its header says " + std::to_string(size))
        .hint("it was cut short or appended to");
  if (count == 0 || count > kMaxSections || kHeaderBytes + count * kEntryBytes > file.size())
    return invalid("the section table is malformed").at("byte 12");
  std::span<const std::byte> table = file.subspan(kHeaderBytes, count * kEntryBytes);
  if (hash64(table) != hash) return invalid("the section table is damaged").at("byte " + std::to_string(kHeaderBytes));
  std::vector<Section> sections(count);
  std::memcpy(sections.data(), table.data(), table.size());
  for (const Section& s : sections) {
    if (s.offset % kSectionAlign != 0 || s.offset > file.size() || s.size > file.size() - s.offset)
      return invalid("a section lies outside of the file").at("byte " + std::to_string(kHeaderBytes));
  }
  return sections;
}

Result<Plan> read_plan(std::span<const std::byte> bytes) {
  Plan plan;
  Reader r(bytes);
  plan_fields::each(r, plan);
  if (!r.status.ok()) return std::move(r.status);
  if (!r.at_end()) return invalid("bytes follow the plan");
  return plan;
}

}  // namespace

Status write_plans(std::span<const Plan* const> plans, const WriteBytes& write) {
  std::vector<Laid> laid;
  std::vector<Section> sections;
  std::uint64_t at = up(kHeaderBytes + 2 * plans.size() * kEntryBytes, kSectionAlign), end = at;
  Status ignored;
  for (const Plan* p : plans) {
    laid.push_back(lay_out(*p));
    sections.push_back({kPlan, 0, at, laid.back().plan.size(), hash64(laid.back().plan)});
    end = at + laid.back().plan.size();
    at = up(end, kSectionAlign);
    sections.push_back({kData, 0, at, laid.back().data_size, write_data(*p, nullptr, ignored)});
    if (laid.back().data_size > 0) end = at + laid.back().data_size;
    at = up(at + laid.back().data_size, kSectionAlign);
  }
  // An empty last section still starts inside of the file.
  end = std::max(end, sections.back().offset);
  std::byte header[kHeaderBytes];
  std::uint32_t version = kPlanFormat, count = static_cast<std::uint32_t>(sections.size());
  std::span<const std::byte> table = std::as_bytes(std::span(sections));
  std::uint64_t hash = hash64(table);
  std::memcpy(header, kMagic, 8);
  std::memcpy(header + 8, &version, 4);
  std::memcpy(header + 12, &count, 4);
  std::memcpy(header + 16, &end, 8);
  std::memcpy(header + 24, &hash, 8);
  MOTE_TRY(write(header));
  MOTE_TRY(write(table));
  std::uint64_t position = kHeaderBytes + table.size();
  for (std::size_t i = 0; i < plans.size(); ++i) {
    MOTE_TRY(zeros(write, sections[2 * i].offset - position));
    MOTE_TRY(write(laid[i].plan));
    MOTE_TRY(zeros(write, sections[2 * i + 1].offset - sections[2 * i].offset - laid[i].plan.size()));
    Status status;
    write_data(*plans[i], write, status);
    MOTE_TRY(std::move(status));
    position = sections[2 * i + 1].offset + laid[i].data_size;
  }
  return {};
}

Result<PlanFile> read_plans(const std::shared_ptr<const Source>& source) {
  std::span<const std::byte> file = source->bytes();
  MOTE_ASSIGN(std::vector<Section> sections, read_table(file));
  PlanFile out;
  for (std::size_t i = 0; i < sections.size(); ++i) {
    if (sections[i].kind != kPlan) continue;
    std::span<const std::byte> bytes = file.subspan(sections[i].offset, sections[i].size);
    if (hash64(bytes) != sections[i].hash)
      return invalid("the plan is damaged").at("byte " + std::to_string(sections[i].offset));
    MOTE_ASSIGN(Plan plan, read_plan(bytes));
    if (i + 1 >= sections.size() || sections[i + 1].kind != kData) return invalid("a plan without data");
    const Section& data = sections[i + 1];
    plan.sources = {source};
    plan.foreign = true;
    for (PlanConstant& c : plan.constants) {
      if (c.offset > data.size || c.size > data.size - c.offset || c.offset % kDataAlign != 0)
        return invalid("constant '" + c.name + "' lies outside of the data");
      c.source = 0;
      c.offset += data.offset;
    }
    MOTE_TRY(verify(plan));
    out.plans.push_back(std::move(plan));
  }
  if (out.plans.empty()) return invalid("the file holds no plan");
  return out;
}

Status verify_data(std::span<const std::byte> file) {
  MOTE_ASSIGN(std::vector<Section> sections, read_table(file));
  for (std::size_t i = 0; i + 1 < sections.size(); i += 2) {
    MOTE_ASSIGN(Plan plan, read_plan(file.subspan(sections[i].offset, sections[i].size)));
    const Section& data = sections[i + 1];
    std::uint64_t hash = 0;
    for (const PlanConstant& c : plan.constants) {
      if (c.offset > data.size || c.size > data.size - c.offset)
        return invalid("constant '" + c.name + "' lies outside of the data");
      hash = hash * 0x9e3779b97f4a7c15u + hash64(file.subspan(data.offset + c.offset, c.size));
    }
    if (hash != data.hash) return invalid("the weights are damaged").at("byte " + std::to_string(data.offset));
  }
  return {};
}

}  // namespace mote
