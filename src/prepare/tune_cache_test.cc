#include "prepare/tune_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"

namespace mote {
namespace {

TEST(TuneCache, SaysWhatItReads) {
  const std::string text = "mote tuning 1\n00000000000000ab 2\nfedcba9876543210 0\n";
  Result<TuneCache> cache = TuneCache::parse(text);
  ASSERT_TRUE(cache.ok()) << cache.status().to_string();
  EXPECT_EQ(cache->answers, (std::map<std::uint64_t, std::int32_t>{{0xab, 2}, {0xfedcba9876543210, 0}}));
  EXPECT_EQ(cache->print(), text);
}

TEST(TuneCache, RefusesWhateverElse) {
  for (const char* text : {"", "mote tuning 2\n", "mote tuning 1", "\n", "mote tuning 1\n\n", "mote tuning 1\nab 2\n",
                           "mote tuning 1\n00000000000000ab 4\n", "mote tuning 1\n00000000000000ab -\n",
                           "mote tuning 1\n00000000000000ab 2", "mote tuning 1\n00000000000000ag 2\n",
                           "mote tuning 1\n+0000000000000ab 2\n", "mote tuning 1\n00000000000000ab 2 \n",
                           "mote tuning 1\n00000000000000ab\t2\n"}) {
    EXPECT_EQ(TuneCache::parse(text).status().code(), Code::kInvalid) << text;
  }
  const Status s = TuneCache::parse("mote tuning 1\n00000000000000ab 1\nx\n").status();
  EXPECT_EQ(s.where(), "line 3");
}

#if MOTE_FILES
TEST(TuneCache, AddsToWhatTheFileHas) {
  const std::string folder = testing::TempDir() + "mote_tuning_" + std::to_string(getpid());
  const std::string path = folder + "/a/cache";
  EXPECT_TRUE(TuneCache::read(path)->answers.empty());
  TuneCache one, two;
  one.answers = {{1, 1}, {2, 2}};
  two.answers = {{2, 3}, {3, 0}};
  for (const TuneCache* c : {&one, &two}) {
    const Status s = c->write(path);
    ASSERT_TRUE(s.ok()) << s.to_string();
  }
  EXPECT_EQ(TuneCache::read(path)->answers, (std::map<std::uint64_t, std::int32_t>{{1, 1}, {2, 3}, {3, 0}}));
  Result<FileWriter> file = FileWriter::create(path);
  ASSERT_TRUE(file.ok() && file->write("rubbish").ok() && file->commit().ok());
  EXPECT_EQ(one.write(path).code(), Code::kInvalid);
  EXPECT_EQ(*read_file(path, 100), "rubbish");
  unlink(path.c_str());
  rmdir((folder + "/a").c_str());
  rmdir(folder.c_str());
}
#endif

}  // namespace
}  // namespace mote
