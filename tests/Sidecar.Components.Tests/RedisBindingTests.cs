using System.Text;
using DaprPlatform.Sidecar.Bindings;
using DaprPlatform.Sidecar.Bindings.Redis;
using DaprPlatform.Sidecar.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Components.Tests;

public sealed class RedisBindingTests : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("redis-binding-");
    private Engine _engine = null!;
    private RedisBinding _binding = null!;

    public async ValueTask InitializeAsync()
    {
        _engine = await Engine.OpenAsync(new EngineOptions { DataDirectory = _folder.FullName });
        var metadata = new Dictionary<string, string> { ["redisHost"] = "localhost:6379" };
        _binding = new RedisBinding(new ComponentSpec("texts", "bindings.redis", "v1", metadata, new Dictionary<string, string>(), new SidecarOptions { AppId = "a" }, _engine, NullLoggerFactory.Instance, TimeProvider.System));
        await _binding.InitAsync(default);
    }

    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_text_is_written_read_and_deleted()
    {
        await InvokeAsync("create", "k", "\"v\"");
        Assert.Equal("\"v\"", await InvokeAsync("get", "k"));
        await InvokeAsync("delete", "k");
        Assert.Null(await InvokeAsync("get", "k"));
    }

    [Fact]
    public async Task Reading_with_delete_takes_the_text_away()
    {
        await InvokeAsync("create", "k", "v");
        Assert.Equal("v", await InvokeAsync("get", "k", "", ("delete", "true")));
        Assert.Null(await InvokeAsync("get", "k"));
    }

    [Fact]
    public async Task Incrementing_counts_each_of_many_at_the_same_time()
    {
        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => InvokeAsync("increment", "n")));
        Assert.Equal("50", await InvokeAsync("get", "n"));
    }

    [Fact]
    public async Task What_is_no_number_is_not_incremented_and_a_key_is_needed()
    {
        await InvokeAsync("create", "t", "text");
        await Assert.ThrowsAsync<BindingException>(() => InvokeAsync("increment", "t"));
        await Assert.ThrowsAsync<BindingException>(() => InvokeAsync("get", ""));
        await Assert.ThrowsAsync<BindingException>(() => InvokeAsync("create", "t", "x", ("ttlInSeconds", "soon")));
    }

    private async Task<string?> InvokeAsync(string operation, string key, string data = "", params (string Name, string Value)[] more)
    {
        var metadata = more.ToDictionary(m => m.Name, m => m.Value);
        metadata["key"] = key;
        var answer = await _binding.InvokeAsync(new BindingRequest(operation, Encoding.UTF8.GetBytes(data), metadata), default);
        return answer is null ? null : Encoding.UTF8.GetString(answer.Data.Span);
    }
}
