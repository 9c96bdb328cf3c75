set(SVI_MODEL_SOURCES
  src/model/causal.cpp
  src/model/condition.cpp
  src/model/critic.cpp
  src/model/extension.cpp
  src/model/model.cpp
  src/model/flow_schedule.cpp
  src/model/key_maps.cpp
  src/model/lora.cpp
  src/model/lora_files.cpp
  src/model/lora_key.cpp
  src/model/lora_settings.cpp
  src/model/name_rules.cpp
  src/model/nests.cpp
  src/model/renaming.cpp
  src/model/scaled_weights.cpp
  src/model/weights.cpp
  src/model/wan/dit/behind.cpp
  src/model/wan/dit/block_feed.cpp
  src/model/wan/dit/block_fused.cpp
  src/model/wan/dit/block_lean.cpp
  src/model/wan/dit/block_plain.cpp
  src/model/wan/vae/condition.cpp
  src/model/wan/dit/contexts.cpp
  src/model/wan/kernels/dense.cpp
  src/model/wan/dit/dit_config.cpp
  src/model/wan/dit/dit.cpp
  src/model/wan/dit/dit_forward.cpp
  src/model/wan/dit/dit_placement.cpp
  src/model/wan/dit/dit_quantise.cpp
  src/model/wan/kernels/flash_kernel.cpp
  src/model/wan/kernels/flash_tile.cpp
  src/model/wan/dit/dit_guard.cpp
  src/model/wan/dit/extended.cpp
  src/model/wan/layers/fused_attention.cpp
  src/model/wan/layers/fused_linear.cpp
  src/model/wan/layers/fused_norm.cpp
  src/model/wan/kernels/kernels.cpp
  src/model/wan/layers/lean_attention.cpp
  src/model/wan/layers/lean_linear.cpp
  src/model/wan/layers/lean_norm.cpp
  src/model/wan/layers/ops.cpp
  src/model/wan/dit/positions.cpp
  src/model/wan/kernels/product.cpp
  src/model/wan/dit/quantised.cpp
  src/model/wan/dit/recompute.cpp
  src/model/wan/kernels/row_kernels.cpp
  src/model/wan/dit/split.cpp
  src/model/wan/split_model.cpp
  src/model/wan/vae/vae.cpp
  src/model/wan/vae/vae_config.cpp
  src/model/wan/vae/vae_frames.cpp
  src/model/wan/vae/vae_layers.cpp
  src/model/wan/vae/vae_norm.cpp
  src/model/wan/vae/vae_stream.cpp
  src/model/wan/vae/vae_tiling.cpp
  src/model/wan/vae/vae_winograd.cpp
)
# Row kernels: sums may be reordered, which lets them vectorise; the precompiled header has other flags.
set_source_files_properties(src/model/wan/kernels/kernels.cpp src/model/wan/kernels/row_kernels.cpp PROPERTIES
  COMPILE_OPTIONS "-fopenmp-simd;-fno-math-errno;-fno-trapping-math" SKIP_PRECOMPILE_HEADERS ON)
# Products and sums as one operation: the language's strict form would halve the speed.
set_source_files_properties(src/model/wan/vae/vae_winograd.cpp src/model/wan/kernels/product.cpp src/model/wan/kernels/flash_tile.cpp PROPERTIES
  COMPILE_OPTIONS "-O3;-ffp-contract=fast" SKIP_PRECOMPILE_HEADERS ON)
# It silences a false alarm of its own intrinsics to the end of its unit.
set_source_files_properties(src/model/wan/kernels/flash_kernel.cpp PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
