// The C interface on the example model.
#include "api/c_api.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <thread>

namespace {

constexpr const char* kDigits = MOTE_SOURCE_DIR "/examples/digits/digits.onnx";

struct Loaded {
  mote_options* options = nullptr;
  mote_model* model = nullptr;
  mote_session* session = nullptr;
  Loaded() { EXPECT_EQ(mote_options_create(&options), MOTE_OK); }
  ~Loaded() {
    mote_session_free(session);
    mote_model_free(model);
    mote_options_free(options);
  }
  bool load() {
    EXPECT_EQ(mote_options_add_override(options, nullptr), MOTE_INVALID);
    EXPECT_EQ(mote_options_add_override(options, "an input without a value in the file"), MOTE_OK);
    return mote_model_load(kDigits, options, &model) == MOTE_OK &&
           mote_session_create(model, options, &session) == MOTE_OK;
  }
};

TEST(CApi, LoadsRunsAndReads) {
  Loaded m;
  ASSERT_TRUE(m.load()) << mote_error_message();
  ASSERT_EQ(mote_session_input_count(m.session), 1);
  mote_port port{};
  port.struct_size = sizeof port;
  ASSERT_EQ(mote_model_input(m.model, 0, &port), MOTE_OK);
  EXPECT_STREQ(port.name, "image");
  EXPECT_EQ(port.rank, 4);
  EXPECT_EQ(port.dims[0], -1);
  EXPECT_STREQ(port.dim_names[0], "N");
  EXPECT_EQ(port.dims[3], 32);
  EXPECT_EQ(mote_session_output_index(m.session, "logits"), 0);
  EXPECT_EQ(mote_session_output_index(m.session, "none"), -1);
  EXPECT_STREQ(mote_model_metadata(m.model, "mote.labels"), "digits");
  EXPECT_EQ(mote_model_metadata(m.model, "none"), nullptr);

  std::vector<float> image(2 * 32 * 32, 0.25f), result(20, -1);
  mote_tensor input{image.data(), MOTE_F32, 4, {2, 1, 32, 32}}, output{result.data(), MOTE_F32, 2, {2, 10}}, got;
  ASSERT_EQ(mote_session_set_input(m.session, 0, &input), MOTE_OK);
  ASSERT_EQ(mote_session_run(m.session, 0), MOTE_OK) << mote_error_message();
  ASSERT_EQ(mote_session_get_output(m.session, 0, &got), MOTE_OK);
  EXPECT_EQ(got.dims[0], 2);
  std::vector<float> first(static_cast<float*>(got.data), static_cast<float*>(got.data) + 20);
  EXPECT_EQ(first[3], first[13]);
  // Into the caller's memory.
  ASSERT_EQ(mote_session_set_output(m.session, 0, &output), MOTE_OK);
  ASSERT_EQ(mote_session_run(m.session, 0), MOTE_OK) << mote_error_message();
  EXPECT_EQ(result, first);
  ASSERT_EQ(mote_session_get_output(m.session, 0, &got), MOTE_OK);
  EXPECT_EQ(got.data, result.data());
  EXPECT_GT(mote_session_arena_bytes(m.session), 0);
  EXPECT_GT(mote_model_weight_bytes(m.model), 100000);
}

TEST(CApi, ReportsErrorsPerThread) {
  mote_model* model = nullptr;
  EXPECT_EQ(mote_model_load("/nowhere/m.onnx", nullptr, &model), MOTE_NOT_FOUND);
  EXPECT_EQ(model, nullptr);
  std::string mine = mote_error_message();
  EXPECT_FALSE(mine.empty());
  EXPECT_NE(std::string(mote_error_where()).find("m.onnx"), std::string::npos);
  std::thread([] { EXPECT_STREQ(mote_error_message(), ""); }).join();
  EXPECT_EQ(mine, mote_error_message());
  EXPECT_EQ(mote_model_load_memory("hello", 5, "greeting", nullptr, &model), MOTE_INVALID);
  EXPECT_STREQ(mote_error_where(), "greeting");
  EXPECT_EQ(mote_model_load(kDigits, nullptr, nullptr), MOTE_INVALID);
  EXPECT_STREQ(mote_code_name(MOTE_NOT_FOUND), "not found");
  EXPECT_STREQ(mote_dtype_name(MOTE_F32), "f32");
  EXPECT_EQ(mote_dtype_bytes(MOTE_I4, 3), 2);
}

TEST(CApi, ChecksArguments) {
  Loaded m;
  ASSERT_TRUE(m.load()) << mote_error_message();
  std::vector<float> image(32 * 32);
  mote_tensor good{image.data(), MOTE_F32, 4, {1, 1, 32, 32}};
  EXPECT_EQ(mote_session_run(m.session, 0), MOTE_INVALID);  // no input yet
  EXPECT_EQ(mote_session_set_input(m.session, 1, &good), MOTE_INVALID);
  EXPECT_EQ(mote_session_set_input(m.session, 0, nullptr), MOTE_INVALID);
  mote_tensor bad = good;
  bad.rank = 9;
  EXPECT_EQ(mote_session_set_input(m.session, 0, &bad), MOTE_INVALID);
  bad = good;
  bad.dims[3] = 31;
  EXPECT_EQ(mote_session_set_input(m.session, 0, &bad), MOTE_INVALID);
  bad = good;
  bad.data = nullptr;
  EXPECT_EQ(mote_session_set_input(m.session, 0, &bad), MOTE_INVALID);
  mote_tensor out;
  EXPECT_EQ(mote_session_get_output(m.session, 5, &out), MOTE_INVALID);
  mote_port port{};
  EXPECT_EQ(mote_model_input(m.model, 0, &port), MOTE_INVALID);  // struct_size
  EXPECT_EQ(mote_session_set_input(nullptr, 0, &good), MOTE_INVALID);
  EXPECT_EQ(mote_session_input_count(nullptr), 0);
  mote_session_free(nullptr);
}

TEST(CApi, OptionsChangeTheModel) {
  Loaded m;
  ASSERT_EQ(mote_options_set_dim(m.options, "N", 3), MOTE_OK);
  ASSERT_EQ(mote_options_set_threads(m.options, 2), MOTE_OK);
  ASSERT_TRUE(m.load()) << mote_error_message();
  mote_port port{};
  port.struct_size = sizeof port;
  ASSERT_EQ(mote_session_input(m.session, 0, &port), MOTE_OK);
  EXPECT_EQ(port.dims[0], 3);
  Loaded wrong;
  ASSERT_EQ(mote_options_set_dim(wrong.options, "M", 3), MOTE_OK);
  EXPECT_FALSE(wrong.load());
  EXPECT_EQ(mote_options_set_precision(m.options, MOTE_I8), MOTE_INVALID);
  EXPECT_EQ(mote_options_set_fastest(m.options), MOTE_OK);
  EXPECT_EQ(mote_options_set_fastest(nullptr), MOTE_INVALID);
  EXPECT_EQ(mote_options_set_threads(m.options, -1), MOTE_INVALID);
  Loaded other;
  ASSERT_EQ(mote_options_set_signature(other.options, "other"), MOTE_OK);
  EXPECT_EQ(mote_model_load(kDigits, other.options, &other.model), MOTE_INVALID);
  EXPECT_NE(std::string(mote_error_hint()).find("main"), std::string::npos);
}

TEST(CApi, LimitsMemoryOfModelAndSessionTogether) {
  Loaded small;
  ASSERT_EQ(mote_options_set_max_bytes(small.options, 1000), MOTE_OK);
  EXPECT_EQ(mote_model_load(kDigits, small.options, &small.model), MOTE_RESOURCE_EXHAUSTED);
  Loaded m;
  ASSERT_TRUE(m.load()) << mote_error_message();
  std::int64_t weights = mote_model_weight_bytes(m.model);
  Loaded tight;
  ASSERT_EQ(mote_options_set_max_bytes(tight.options, 4 * weights), MOTE_OK);
  ASSERT_EQ(mote_model_load(kDigits, tight.options, &tight.model), MOTE_OK) << mote_error_message();
  ASSERT_EQ(mote_options_set_max_bytes(tight.options, weights + 1000), MOTE_OK);
  mote_code code = mote_session_create(tight.model, tight.options, &tight.session);
  if (code == MOTE_OK) {  // the arena is taken when the batch is known
    std::vector<float> image(32 * 32);
    mote_tensor input{image.data(), MOTE_F32, 4, {1, 1, 32, 32}};
    ASSERT_EQ(mote_session_set_input(tight.session, 0, &input), MOTE_OK);
    code = mote_session_run(tight.session, 0);
  }
  EXPECT_EQ(code, MOTE_RESOURCE_EXHAUSTED);
}

TEST(CApi, GivesMessagesToTheLogHook) {
  std::string got;
  auto keep = [](void* user, mote_log_level, const char* message) {
    *static_cast<std::string*>(user) += std::string(message) + "\n";
  };
  for (mote_log_level most : {MOTE_LOG_ERROR, MOTE_LOG_INFO}) {
    mote_log_set(keep, &got, most);
    Loaded m;
    EXPECT_TRUE(m.load()) << mote_error_message();
    EXPECT_EQ(got.find("digits.onnx") != std::string::npos, most == MOTE_LOG_INFO) << got;
  }
  EXPECT_NE(got.find("steps"), std::string::npos);
  got.clear();
  mote_log_set(nullptr, nullptr, MOTE_LOG_DEBUG);
  Loaded m;
  EXPECT_TRUE(m.load());
  EXPECT_EQ(got, "");
}

TEST(CApi, StopsAtDeadlinesAndWhenCancelled) {
  Loaded m;
  ASSERT_EQ(mote_options_set_dim(m.options, "N", 64), MOTE_OK);
  ASSERT_TRUE(m.load()) << mote_error_message();
  std::vector<float> image(64 * 32 * 32);
  mote_tensor input{image.data(), MOTE_F32, 4, {64, 1, 32, 32}};
  ASSERT_EQ(mote_session_set_input(m.session, 0, &input), MOTE_OK);
  EXPECT_EQ(mote_session_run(m.session, 1), MOTE_DEADLINE_EXCEEDED);
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) mote_session_cancel(m.session);
  });
  mote_code code = MOTE_OK;
  for (int i = 0; i < 100 && code == MOTE_OK; ++i) code = mote_session_run(m.session, 0);
  done = true;
  other.join();
  EXPECT_EQ(code, MOTE_CANCELLED);
  EXPECT_EQ(mote_session_run(m.session, 0), MOTE_OK);  // and the session still works
}

TEST(CApi, TakesMemoryFromTheHook) {
  static std::atomic<std::int64_t> held{0}, calls{0};
  mote_allocator_set(
      [](void*, size_t bytes, size_t alignment) {
        held += static_cast<std::int64_t>(bytes);
        ++calls;
        return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
      },
      [](void*, void* memory, size_t bytes) {
        held -= static_cast<std::int64_t>(bytes);
        std::free(memory);
      },
      nullptr);
  {
    Loaded m;
    ASSERT_TRUE(m.load()) << mote_error_message();
    std::vector<float> image(32 * 32);
    mote_tensor input{image.data(), MOTE_F32, 4, {1, 1, 32, 32}};
    ASSERT_EQ(mote_session_set_input(m.session, 0, &input), MOTE_OK);
    ASSERT_EQ(mote_session_run(m.session, 0), MOTE_OK);
    EXPECT_GT(calls, 0);
    EXPECT_GT(held, 0);
  }
  EXPECT_EQ(held, 0);
  mote_allocator_set(nullptr, nullptr, nullptr);
}

TEST(CApi, CarriesAGrowingState) {
  const char text[] =
      "module \"cache\"\n"
      "signature \"main\" = @main\n"
      "func @main(%x: f32[1,1,4], %past: f32[1,past,4]) -> (%present) {\n"
      "  %present: f32[1,past+1,4] = concat(%past, %x) {axis=1}\n"
      "}\n";
  mote_options* options = nullptr;
  mote_model* model = nullptr;
  mote_session* session = nullptr;
  ASSERT_EQ(mote_options_create(&options), MOTE_OK);
  EXPECT_EQ(mote_options_set_state_capacity(options, -1), MOTE_INVALID);
  ASSERT_EQ(mote_options_set_state_capacity(options, 40), MOTE_OK);
  ASSERT_EQ(mote_options_set_state(options, "past", "present"), MOTE_OK);
  ASSERT_EQ(mote_model_load_memory(text, sizeof text - 1, "cache.ir", options, &model), MOTE_OK)
      << mote_error_message();
  ASSERT_EQ(mote_session_create(model, options, &session), MOTE_OK) << mote_error_message();
  float x[4] = {1, 2, 3, 4};
  mote_tensor in = {x, MOTE_F32, 3, {1, 1, 4}}, out = {};
  for (int step = 0; step < 50; ++step) {
    x[0] = static_cast<float>(step);
    ASSERT_EQ(mote_session_set_input(session, 0, &in), MOTE_OK) << mote_error_message();
    ASSERT_EQ(mote_session_run(session, 0), MOTE_OK) << mote_error_message();
  }
  ASSERT_EQ(mote_session_get_output(session, 0, &out), MOTE_OK);
  ASSERT_EQ(out.dims[1], 50);
  for (int step = 0; step < 50; ++step) EXPECT_EQ(static_cast<const float*>(out.data)[4 * step], step);
  ASSERT_EQ(mote_session_reset_states(session), MOTE_OK);
  ASSERT_EQ(mote_session_run(session, 0), MOTE_OK);
  ASSERT_EQ(mote_session_get_output(session, 0, &out), MOTE_OK);
  EXPECT_EQ(out.dims[1], 1);
  mote_session_free(session);
  mote_model_free(model);
  mote_options_free(options);
}

TEST(CApi, SignaturesShareStates) {
  const char text[] =
      "module \"counter\"\n"
      "signature \"add\" = @add {\n"
      "  state \"sum\" = input 1, output 0\n"
      "}\n"
      "signature \"get\" = @get {\n"
      "  state \"sum\" = input 0, output 0\n"
      "}\n"
      "func @add(%x: f32[2], %sum: f32[2]) -> (%next) {\n"
      "  %next = add(%x, %sum)\n"
      "}\n"
      "func @get(%sum: f32[2]) -> (%same) {\n"
      "  %same = identity(%sum)\n"
      "}\n";
  mote_model* model = nullptr;
  mote_session *add = nullptr, *get = nullptr;
  ASSERT_EQ(mote_model_load_memory(text, sizeof text - 1, "counter.ir", nullptr, &model), MOTE_OK)
      << mote_error_message();
  ASSERT_EQ(mote_session_create(model, nullptr, &add), MOTE_OK) << mote_error_message();
  EXPECT_EQ(mote_session_create_sibling(add, "put", &get), MOTE_INVALID);
  EXPECT_NE(std::string(mote_error_message()).find("put"), std::string::npos);
  EXPECT_EQ(mote_session_create_sibling(add, nullptr, &get), MOTE_INVALID);
  EXPECT_EQ(get, nullptr);
  ASSERT_EQ(mote_session_create_sibling(add, "get", &get), MOTE_OK) << mote_error_message();
  float x[2] = {1, 2};
  mote_tensor in = {x, MOTE_F32, 1, {2}}, out = {};
  ASSERT_EQ(mote_session_set_input(add, 0, &in), MOTE_OK);
  for (int step = 1; step < 4; ++step) {
    ASSERT_EQ(mote_session_run(add, 0), MOTE_OK);
    ASSERT_EQ(mote_session_run(get, 0), MOTE_OK);
    ASSERT_EQ(mote_session_get_output(get, 0, &out), MOTE_OK);
    EXPECT_EQ(static_cast<const float*>(out.data)[1], 2 * step);
  }
  mote_session_free(add);
  mote_model_free(model);
  ASSERT_EQ(mote_session_reset_states(get), MOTE_OK);
  ASSERT_EQ(mote_session_run(get, 0), MOTE_OK);
  ASSERT_EQ(mote_session_get_output(get, 0, &out), MOTE_OK);
  EXPECT_EQ(static_cast<const float*>(out.data)[1], 0);
  mote_session_free(get);
}

}  // namespace
