#include "plan/file.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "ir/elements.h"
#include "ir/text.h"
#include "plan/fields.h"
#include "plan/hash.h"
#include "plan/verify.h"

namespace mote {
namespace {

static_assert(std::endian::native == std::endian::little,
              "files are little-endian; a big-endian build needs swapping readers");

constexpr char kMagic[8] = {'M', 'O', 'T', 'E', 'P', 'L', 'A', 'N'};
constexpr std::uint64_t kSectionAlign = 64 << 10, kDataAlign = 64;
constexpr std::uint64_t kLarge = 64 << 10, kPage = 4096;  // constants that get pages of their own
constexpr std::string_view kDataName = "data";            // what the module's text calls the data section
constexpr std::size_t kHeaderBytes = 32, kEntryBytes = 32;
constexpr std::uint32_t kMaxSections = 64;

enum SectionKind : std::uint32_t { kPlan = 1, kData = 2, kModule = 3 };

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

// The hash of a data section, piece by piece: of the hashes of its chunks.
class DataHash {
 public:
  void add(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      std::size_t n = std::min(bytes.size(), kChunk - held_.size());
      if (held_.empty() && n == kChunk) {
        take(bytes.first(n));
      } else {
        held_.insert(held_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
        if (held_.size() == kChunk) flush();
      }
      bytes = bytes.subspan(n);
    }
  }
  std::uint64_t get() {
    if (!held_.empty()) flush();
    return hash_;
  }

 private:
  static constexpr std::size_t kChunk = 64 << 10;
  void take(std::span<const std::byte> chunk) { hash_ = hash_ * 0x9e3779b97f4a7c15u + hash64(chunk); }
  void flush() {
    take(held_);
    held_.clear();
  }
  std::vector<std::byte> held_;
  std::uint64_t hash_ = 0;
};

// The data section while it is put together: every different piece once.
class DataPool {
 public:
  std::uint64_t add(std::span<const std::byte> bytes) {
    if (bytes.empty()) return 0;
    std::uint64_t hash = hash64(bytes);
    for (auto [it, end] = known_.equal_range(hash); it != end; ++it) {
      const Piece& p = pieces_[it->second];
      if (p.bytes.size() == bytes.size() && std::memcmp(p.bytes.data(), bytes.data(), bytes.size()) == 0)
        return p.offset;
    }
    size_ = up(size_, bytes.size() >= kLarge ? kPage : kDataAlign);
    known_.emplace(hash, pieces_.size());
    pieces_.push_back({bytes, size_});
    size_ += bytes.size();
    return pieces_.back().offset;
  }
  std::uint64_t size() const { return size_; }
  Status write(const WriteBytes& to) const {
    std::uint64_t at = 0;
    for (const Piece& p : pieces_) {
      MOTE_TRY(zeros(to, p.offset - at));
      MOTE_TRY(to(p.bytes));
      at = p.offset + p.bytes.size();
    }
    return {};
  }
  std::uint64_t hash() const {
    DataHash hash;
    // Never fails: hashing does not.
    static_cast<void>(write([&](std::span<const std::byte> bytes) {
                        hash.add(bytes);
                        return Status();
                      }).ok());
    return hash.get();
  }

 private:
  struct Piece {
    std::span<const std::byte> bytes;
    std::uint64_t offset;
  };
  std::vector<Piece> pieces_;
  std::unordered_multimap<std::uint64_t, std::size_t> known_;
  std::uint64_t size_ = 0;
};

// What stands for a plan or module in the file, its constants as ranges of `pool`.
std::vector<std::byte> plan_bytes(const Plan& plan, DataPool& pool) {
  Plan copy = plan;
  for (PlanConstant& c : copy.constants) c.offset = pool.add(plan.bytes(c));
  Writer w;
  plan_fields::each(w, copy);
  return std::move(w.out);
}

std::vector<std::byte> module_bytes(const Module& module, DataPool& pool) {
  PrintOptions options;
  options.hex_bytes = 0;
  Module copy = module;
  auto data = std::make_shared<BufferSource>(std::vector<std::byte>());
  data->name = kDataName;
  for (Constant& c : copy.constants) {
    if (!c.source || elements_text(c, options.inline_elements)) continue;
    c.offset = static_cast<std::size_t>(pool.add(c.stored()));
    c.source = data;
  }
  std::string text = print(copy, options);
  auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

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

Result<std::span<const std::byte>> section_bytes(const Source& source, const PlanFile::Range& r, const char* what) {
  std::span<const std::byte> bytes = source.bytes().subspan(r.offset, r.size);
  if (hash64(bytes) != r.hash) return invalid(std::string(what) + " is damaged").at("byte " + std::to_string(r.offset));
  return bytes;
}

// A part of a source.
class Slice final : public Source {
 public:
  Slice(std::shared_ptr<const Source> whole, std::size_t offset, std::size_t size)
      : whole_(std::move(whole)), offset_(offset), size_(size) {}
  std::span<const std::byte> bytes() const override { return whole_->bytes().subspan(offset_, size_); }
  void drop(std::size_t offset, std::size_t size) const override { whole_->drop(offset_ + offset, size); }

 private:
  std::shared_ptr<const Source> whole_;
  std::size_t offset_, size_;
};

}  // namespace

Status write_plans(std::span<const Plan* const> plans, const WriteBytes& write, const Module* module) {
  DataPool pool;
  std::vector<std::vector<std::byte>> parts;
  std::vector<Section> sections;
  auto add = [&](SectionKind kind, std::vector<std::byte> bytes) {
    sections.push_back({kind, 0, 0, bytes.size(), hash64(bytes)});
    parts.push_back(std::move(bytes));
  };
  if (module) add(kModule, module_bytes(*module, pool));
  for (const Plan* p : plans) add(kPlan, plan_bytes(*p, pool));
  sections.push_back({kData, 0, 0, pool.size(), pool.hash()});
  std::uint64_t end = kHeaderBytes + sections.size() * kEntryBytes;
  for (Section& s : sections) {
    s.offset = up(end, kSectionAlign);
    end = s.offset + s.size;
  }
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
  for (std::size_t i = 0; i < sections.size(); ++i) {
    MOTE_TRY(zeros(write, sections[i].offset - position));
    MOTE_TRY(i < parts.size() ? write(parts[i]) : pool.write(write));
    position = sections[i].offset + sections[i].size;
  }
  return {};
}

Result<PlanFile> PlanFile::open(std::shared_ptr<const Source> source) {
  std::span<const std::byte> file = source->bytes();
  MOTE_ASSIGN(std::vector<Section> sections, read_table(file));
  PlanFile out;
  bool data = false;
  for (const Section& s : sections) {
    Range range{s.offset, s.size, s.hash};
    if (s.kind == kPlan) {
      // The target's name stands first.
      std::string target;
      Reader r(file.subspan(s.offset, s.size));
      r.text(target);
      if (!r.status.ok()) return std::move(r.status);
      out.targets_.push_back(std::move(target));
      out.plans_.push_back(range);
    } else if (s.kind == kData && !data) {
      out.data_ = range;
      data = true;
    } else if (s.kind == kModule && out.module_.size == 0) {
      out.module_ = range;
    } else {
      return invalid("the section table is malformed").at("byte " + std::to_string(kHeaderBytes));
    }
  }
  if (out.plans_.empty()) return invalid("the file holds no plan");
  if (!data) return invalid("the file holds no data");
  out.source_ = std::move(source);
  return out;
}

Result<Plan> PlanFile::plan(std::size_t i) const {
  MOTE_ASSIGN(std::span<const std::byte> bytes, section_bytes(*source_, plans_[i], "the plan"));
  MOTE_ASSIGN(Plan plan, read_plan(bytes));
  plan.sources = {source_};
  plan.foreign = true;
  for (PlanConstant& c : plan.constants) {
    if (c.offset > data_.size || c.size > data_.size - c.offset || c.offset % kDataAlign != 0)
      return invalid("constant '" + c.name + "' lies outside of the data");
    c.source = 0;
    c.offset += data_.offset;
  }
  MOTE_TRY(verify(plan));
  return plan;
}

Result<Module> PlanFile::module(const OpLookup& ops) const {
  if (!has_module()) return invalid("the file holds no module, only plans");
  MOTE_ASSIGN(std::span<const std::byte> bytes, section_bytes(*source_, module_, "the module"));
  std::shared_ptr<const Source> data =
      std::make_shared<Slice>(source_, static_cast<std::size_t>(data_.offset), static_cast<std::size_t>(data_.size));
  TextOptions options;
  options.source = [&](std::string_view name) -> Result<std::shared_ptr<const Source>> {
    if (name != kDataName) return invalid("a constant lies outside of the file");
    return data;
  };
  return parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, ops, options);
}

Result<std::vector<Plan>> read_plans(const std::shared_ptr<const Source>& source) {
  MOTE_ASSIGN(PlanFile file, PlanFile::open(source));
  std::vector<Plan> plans;
  for (std::size_t i = 0; i < file.targets().size(); ++i) {
    MOTE_ASSIGN(Plan plan, file.plan(i));
    plans.push_back(std::move(plan));
  }
  return plans;
}

Status verify_data(std::span<const std::byte> file) {
  MOTE_ASSIGN(std::vector<Section> sections, read_table(file));
  for (const Section& s : sections) {
    std::span<const std::byte> bytes = file.subspan(s.offset, s.size);
    std::uint64_t hash = 0;
    if (s.kind == kData) {
      DataHash chunks;
      chunks.add(bytes);
      hash = chunks.get();
    } else {
      hash = hash64(bytes);
    }
    if (hash != s.hash) {
      return invalid(s.kind == kData ? "the weights are damaged" : "a section is damaged")
          .at("byte " + std::to_string(s.offset));
    }
  }
  return {};
}

}  // namespace mote
