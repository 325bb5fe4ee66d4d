using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace DaprPlatform.Cli.LoadTest;

/// <summary>
/// The load test without k6: the same customers as in <c>loadtest/script.js</c>, who register, browse, order, wait for the decision and for the message that tells them of it. Nothing is
/// tried again: what fails counts.
/// </summary>
internal sealed class LoadDriver : IDisposable
{
    // A token is good for fifteen minutes.
    private const int IterationsPerToken = 200;
    private static readonly TimeSpan PauseAfterRefusal = TimeSpan.FromSeconds(1);
    private readonly HttpClient _http;
    private readonly LoadScenario _scenario;
    private readonly TimeProvider _time;
    private readonly LoadFigures _figures = new();
    private readonly string _run = Guid.NewGuid().ToString("N")[..12];
    private IReadOnlyList<string> _products = [];
    private long _started;

    public LoadDriver(string gateway, LoadScenario scenario, TimeProvider time)
    {
        (_scenario, _time) = (scenario, time);
        _http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
        {
            BaseAddress = new Uri(gateway.TrimEnd('/') + "/api/v1/"),
            Timeout = TimeSpan.FromSeconds(scenario.OrderWaitSeconds + 40),
        };
    }

    private sealed record Answer(int Status, JsonNode? Body)
    {
        public bool Succeeded => Status is >= 200 and < 400;

        public JsonNode? Data => Body?["data"];
    }

    /// <summary>Brings products of which there is enough; without them customers order what there is.</summary>
    /// <exception cref="CommandException">The operator is refused.</exception>
    public async Task BringProductsAsync(string email, string password, CancellationToken cancel)
    {
        var signedIn = await SendAsync(HttpMethod.Post, "auth/login", new JsonObject { ["email"] = email, ["password"] = password }, null, false, cancel);
        var token = (string?)signedIn.Data?["accessToken"] ?? throw new CommandException($"The operator {email} cannot sign in ({signedIn.Status}).");
        string[] products = [.. Enumerable.Range(0, _scenario.ProductCount).Select(i => $"{_scenario.ProductPrefix}{i}")];
        var imported = await SendAsync(HttpMethod.Post, "inventory/import", new JsonObject
        {
            ["products"] = new JsonArray([.. products.Select((sku, i) => new JsonObject { ["sku"] = sku, ["name"] = $"Load product {i}", ["priceMinor"] = 100 + i, ["stock"] = 1_000_000_000 })]),
        }, token, false, cancel);
        if (!imported.Succeeded)
            throw new CommandException($"The products cannot be imported: {imported.Status} {imported.Body?.ToJsonString()}");
        _products = products;
    }

    public async Task<LoadReport> RunAsync(CancellationToken cancel)
    {
        _started = _time.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Math.Max(1, _scenario.Peak)).Select(user => UserAsync(user, cancel)));
        return _figures.Report(_scenario.Thresholds, _time.GetElapsedTime(_started));
    }

    public void Dispose() => _http.Dispose();

    private async Task UserAsync(int user, CancellationToken cancel)
    {
        string? token = null;
        var known = false;
        for (var iteration = 0; _scenario.NextFor(user, Now()) is { } begin; iteration++)
        {
            if (begin > Now())
                await Task.Delay(TimeSpan.FromSeconds(begin - Now()), _time, cancel);
            if (token is null)
            {
                (token, known) = await SignInAsync(user, known, cancel);
                if (token is null)
                {
                    _figures.Iteration(false);
                    await Task.Delay(PauseAfterRefusal, _time, cancel);
                    continue;
                }
            }

            _figures.Iteration(await OrderAsync(user, iteration, token, cancel));
            await Task.Delay(Random.Shared.Next(_scenario.ThinkMilliseconds[0], _scenario.ThinkMilliseconds[1] + 1), cancel);
            if (iteration % IterationsPerToken == IterationsPerToken - 1)
                token = null;
        }
    }

    private async Task<(string? Token, bool Known)> SignInAsync(int user, bool known, CancellationToken cancel)
    {
        var (email, password) = ($"load-{_run}-{user}@example.test", "Load-Passw0rd-1");
        if (!known)
            known = (await SendAsync(HttpMethod.Post, "auth/register", new JsonObject { ["email"] = email, ["password"] = password, ["firstName"] = "Load", ["lastName"] = "Test" }, null, false, cancel)).Succeeded;
        var answer = await SendAsync(HttpMethod.Post, "auth/login", new JsonObject { ["email"] = email, ["password"] = password }, null, false, cancel);
        return ((string?)answer.Data?["accessToken"], known);
    }

    /// <returns>True when the order was confirmed and its customer was told.</returns>
    private async Task<bool> OrderAsync(int user, int iteration, string token, CancellationToken cancel)
    {
        var browsed = await SendAsync(HttpMethod.Get, "inventory/products?limit=20", null, token, true, cancel);
        if (!_figures.Check("the catalogue answers", browsed.Status == 200))
            return false;
        var choice = _products.Count > 0 ? _products : [.. (browsed.Data as JsonArray ?? []).Where(p => (int?)p!["available"] > 0).Select(p => (string)p!["id"]!)];
        if (!_figures.Check("there is something to order", choice.Count > 0))
            return false;

        var placed = await SendAsync(HttpMethod.Post, "orders", new JsonObject
        {
            ["items"] = new JsonArray(new JsonObject { ["productId"] = choice[Random.Shared.Next(choice.Count)], ["quantity"] = 1 }),
            ["shippingAddress"] = "1 Load Street, Test City",
        }, token, true, cancel, ("idempotency-key", $"{_run}-{user}-{iteration}"));
        if (!_figures.Check("the order is accepted", placed.Status == 202) || (string?)placed.Data?["id"] is not { } id)
            return false;

        var accepted = _time.GetTimestamp();
        var read = await SendAsync(HttpMethod.Get, $"orders/{id}", null, token, false, cancel, ("prefer", $"wait={_scenario.OrderWaitSeconds}"));
        if (!_figures.Check("the order is confirmed", (string?)read.Data?["status"] == "CONFIRMED"))
            return false;
        _figures.Decided(_time.GetElapsedTime(accepted).TotalMilliseconds);
        return await ToldAsync(id, token, cancel)
            && _figures.Check("the customer's orders answer", (await SendAsync(HttpMethod.Get, "orders?limit=10", null, token, true, cancel)).Status == 200);
    }

    // From the commit of the decision in its service to the moment the customer could read the message that another service made of the event: outbox, broker, consumer and state,
    // as two services of the platform see them. Limited below by the pause between two looks.
    private async Task<bool> ToldAsync(string order, string token, CancellationToken cancel)
    {
        var patience = _time.GetTimestamp();
        while (_time.GetElapsedTime(patience).TotalSeconds < _scenario.EventWaitSeconds)
        {
            var answer = await SendAsync(HttpMethod.Get, "notifications", null, token, false, cancel);
            var message = (answer.Data as JsonArray)?.FirstOrDefault(m => (string?)m?["orderId"] == order && (string?)m["type"] == "order_confirmed");
            if (message is not null)
            {
                _figures.Event(Math.Max(0, (_time.GetUtcNow() - message["at"]!.GetValue<DateTimeOffset>()).TotalMilliseconds));
                return _figures.Check("the customer is told of the order", true);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(_scenario.EventPollMilliseconds), _time, cancel);
        }

        return _figures.Check("the customer is told of the order", false);
    }

    private double Now() => _time.GetElapsedTime(_started).TotalSeconds;

    private async Task<Answer> SendAsync(HttpMethod method, string path, JsonNode? body, string? token, bool counts, CancellationToken cancel, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
            request.Content = JsonContent.Create(body);
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        var sent = _time.GetTimestamp();
        var answer = new Answer(0, null);
        try
        {
            using var response = await _http.SendAsync(request, cancel);
            var text = await response.Content.ReadAsStringAsync(cancel);
            answer = new Answer((int)response.StatusCode, text.Length > 0 && text[0] is '{' or '[' ? JsonNode.Parse(text) : null);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or JsonException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            // No answer is a failed request; the figures say how many there were.
            answer = new Answer(0, null);
        }

        _figures.Request(counts, _time.GetElapsedTime(sent).TotalMilliseconds, answer.Succeeded);
        return answer;
    }
}
