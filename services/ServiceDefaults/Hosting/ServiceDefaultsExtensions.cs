using System.Text.Json;
using System.Text.Json.Serialization;
using Dapr.Client;
using DaprPlatform.Contracts.Users;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.ServiceDefaults.FaultFlags;
using DaprPlatform.ServiceDefaults.Health;
using DaprPlatform.ServiceDefaults.Metrics;
using DaprPlatform.ServiceDefaults.Outbox;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.ServiceDefaults.Rpc;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace DaprPlatform.ServiceDefaults;

/// <summary>What every service does the same way.</summary>
public static class ServiceDefaultsExtensions
{
    /// <summary>Listeners, logs, traces, metrics, health, problem details, authentication, Swagger, gRPC and the Dapr client.</summary>
    /// <param name="builder">The application's builder.</param>
    /// <param name="appId">The Dapr app id; also the label <c>service</c> of metrics.</param>
    /// <param name="appPort">Unless <c>APP_PORT</c> is set.</param>
    /// <param name="metricsPort">Unless <c>METRICS_PORT</c> is set.</param>
    /// <param name="protocol">What the sidecar speaks with the app on its port.</param>
    public static WebApplicationBuilder AddServiceDefaults(
        this WebApplicationBuilder builder, string appId, int appPort, int metricsPort, AppProtocol protocol = AppProtocol.Grpc)
    {
        var services = builder.Services;
        builder.WebHost.AddListeners(builder.Configuration, appPort, metricsPort, protocol);
        services.AddSingleton(new ServiceName(appId));
        services.TryAddSingleton(TimeProvider.System);
        services.AddTelemetry(builder.Configuration, builder.Logging, appId);
        services.AddSingleton<PrometheusExporter>();
        services.AddSingleton<HttpMetrics>();
        services.AddHttpContextAccessor();
        services.AddDaprClient();
        // One of each: without these every call makes its own.
        services.AddSingleton<ProblemInterceptor>();
        services.AddSingleton<RpcGuard>();
        services.AddGrpc(options =>
        {
            options.Interceptors.Add<ProblemInterceptor>();
            // Inside, so that its refusals are problems too.
            options.Interceptors.Add<RpcGuard>();
            if (builder.Configuration.GetValue("FAULT_FLAGS", false))
                options.Interceptors.Add<SlowCallsInterceptor>();
        });
        services.AddFaultFlag<SlowCalls>(builder.Configuration);
        services.AddFaultFlag<BrokerLag>(builder.Configuration);
        services.AddSingleton<SlowCallsInterceptor>();
        services.AddSingleton<AppCallbackService>();
        services.AddSingleton<IBulkBroker, BulkBroker>();
        services.AddSingleton<OutboxPublisher>();
        services.AddSingleton<ServingState>();
        services.AddSingleton<IHealthCheckPublisher>(static provider => provider.GetRequiredService<ServingState>());
        services.Configure<HealthCheckPublisherOptions>(options => (options.Delay, options.Period) = (TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10)));
        services.AddSingleton<GrpcHealthService>();
        services.AddSingleton<GrpcReflectionService>();
        services.AddSingleton<DrainState>();
        services.AddHostedService<Drain>();
        WorkerThreads.AddTo(services, builder.Configuration);
        services.AddHealthChecks().AddCheck<DrainState>("stopping").AddCheck<SidecarHealthCheck>("sidecar", timeout: TimeSpan.FromSeconds(3));
        services.AddExceptionHandler<ProblemWriter>();
        // A body that is no JSON must reach the problem writer, in production too.
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        services.ConfigureHttpJsonOptions(options => Configure(options.SerializerOptions));
        services.AddTokens(builder.Configuration);
        services.AddFrontendOrigins(builder.Configuration);
        services.AddApiDocument(appId);
        services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(8 + Math.Clamp(builder.Configuration.GetValue("DRAIN_SECONDS", 0), 0, 60)));
        return builder;
    }

    /// <summary>Middleware in its order, and the endpoints every service has. Call after building, before mapping the service's own.</summary>
    public static WebApplication UseServiceDefaults(this WebApplication app)
    {
        // Resolved once here, so that the first scrape knows what happened before it.
        app.Services.GetRequiredService<PrometheusExporter>();
        var metrics = app.Services.GetRequiredService<HttpMetrics>();
        // The template of a route is known behind routing, its status after everything else.
        app.UseRouting();
        app.Use((context, next) => metrics.InvokeAsync(context, next));
        app.UseRequestIds();
        app.UseSecurityHeaders();
        app.UseExceptionHandler(static _ => { });
        app.UseStatusCodePages(static context => IsRpc(context.HttpContext) ? Task.CompletedTask : ProblemWriter.WriteStatusAsync(context.HttpContext));
        app.UseCors();
        app.UseAuthentication();
        app.UseAuthorization();
        app.UseApiDocument();
        HealthEndpoints.Map(app);
        app.MapGet("/metrics", static (PrometheusExporter exporter) => Results.Text(exporter.Write(), "text/plain; version=0.0.4; charset=utf-8"))
            .AllowAnonymous().ExcludeFromDescription();
        return app;
    }

    /// <summary>The endpoints through which the sidecar delivers events and probes a gRPC app, gRPC's health protocol, and in development its reflection.</summary>
    public static WebApplication MapAppCallbacks(this WebApplication app)
    {
        app.MapGrpcService<AppCallbackService>();
        app.MapGrpcService<AppCallbackAlphaService>();
        app.MapGrpcService<AppHealthService>();
        app.MapGrpcService<GrpcHealthService>();
        if (app.Environment.IsDevelopment() || app.Configuration.GetValue("GRPC_REFLECTION", false))
            app.MapGrpcService<GrpcReflectionService>();
        return app;
    }

    private static bool IsRpc(HttpContext context) => context.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true;

    private static void Configure(JsonSerializerOptions options)
    {
        options.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
        options.NumberHandling = JsonNumberHandling.Strict;
        options.AllowDuplicateProperties = false;
        options.MaxDepth = 16;
    }

    private static void AddFrontendOrigins(this IServiceCollection services, IConfiguration configuration)
    {
        var origins = (configuration["FRONTEND_ORIGINS"] ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (origins.Contains("*"))
            throw new InvalidOperationException("FRONTEND_ORIGINS must name origins; '*' would let every site use a signed-in browser.");
        services.AddCors(cors => cors.AddDefaultPolicy(policy => policy
            .WithOrigins(origins)
            .AllowAnyHeader()
            .WithMethods("GET", "POST", "PUT", "DELETE")
            .WithExposedHeaders("ETag", "Link", "Location", "X-Request-ID", "Retry-After", "Idempotent-Replayed")));
    }

    private static void AddTokens(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton(new JwtOptions(configuration["JWT_ISSUER"] ?? "daprplatform", configuration["JWT_AUDIENCE"] ?? "daprplatform-api"));
        services.AddServiceClient("users", invoker => new Users.UsersClient(invoker));
        // The users service registers its own keys before.
        services.TryAddSingleton<IVerificationKeys, RemoteKeys>();
        services.AddSingleton<JwtVerifier>();
        services.AddScoped<CurrentUser>();
        services.AddAuthentication(JwtVerifier.AuthenticationType).AddScheme<AuthenticationSchemeOptions, BearerHandler>(JwtVerifier.AuthenticationType, null);
        Policies.Add(services.AddAuthorizationBuilder());
    }
}
