using System.Net;

namespace DaprPlatform.Daprd;

/// <summary><c>--wait</c>: waits for another sidecar on this machine until it can be used, asking its outbound health.</summary>
internal static class SidecarWait
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    /// <returns>0 once it answers 204, 1 when it does not within a minute.</returns>
    public static async Task<int> RunAsync(int httpPort)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(5) };
        var address = new Uri($"http://127.0.0.1:{httpPort}/v1.0/healthz/outbound");
        for (var start = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(start) < Patience;)
        {
            try
            {
                using var answer = await http.GetAsync(address).ConfigureAwait(false);
                if (answer.StatusCode == HttpStatusCode.NoContent)
                    return 0;
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                // It does not listen yet.
            }

            await Task.Delay(Pause).ConfigureAwait(false);
        }

        await Console.Error.WriteLineAsync($"no sidecar became ready on port {httpPort} within {Patience.TotalSeconds} s").ConfigureAwait(false);
        return 1;
    }
}
