// src/base: what everything stands on and that knows nothing of tensors: half and bf16 conversion, CPU features, thread
// pool, file maps, checked containers and budgets, the log hook. Standard library and operating system only.
#pragma once
