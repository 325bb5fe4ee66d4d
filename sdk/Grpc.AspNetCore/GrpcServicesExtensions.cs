using Grpc.AspNetCore.Server;
using Grpc.AspNetCore.Server.Internal;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Grpc.AspNetCore.Server
{
    /// <summary>Configures gRPC services further.</summary>
    public interface IGrpcServerBuilder
    {
        /// <summary>The services of the application.</summary>
        Microsoft.Extensions.DependencyInjection.IServiceCollection Services { get; }
    }
}

namespace Microsoft.Extensions.DependencyInjection
{
    /// <summary>Adds what gRPC services need.</summary>
    public static class GrpcServicesExtensions
    {
        /// <summary>Adds gRPC with its defaults.</summary>
        public static IGrpcServerBuilder AddGrpc(this IServiceCollection services)
        {
            ArgumentNullException.ThrowIfNull(services);
            services.AddRouting();
            services.AddOptions();
            services.TryAddSingleton<GrpcMarker>();
            services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfigureOptions<GrpcServiceOptions>, ConfigureClock>());
            return new Builder(services);
        }

        /// <summary>Adds gRPC with options of all services.</summary>
        public static IGrpcServerBuilder AddGrpc(this IServiceCollection services, Action<GrpcServiceOptions> configureOptions)
        {
            ArgumentNullException.ThrowIfNull(configureOptions);
            var builder = services.AddGrpc();
            services.Configure(configureOptions);
            return builder;
        }

        /// <summary>Adds options of one service, which start from those of all.</summary>
        public static IGrpcServerBuilder AddServiceOptions<TService>(this IGrpcServerBuilder grpcBuilder, Action<GrpcServiceOptions<TService>> configure)
            where TService : class
        {
            ArgumentNullException.ThrowIfNull(grpcBuilder);
            ArgumentNullException.ThrowIfNull(configure);
            grpcBuilder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfigureOptions<GrpcServiceOptions<TService>>, InheritOptions<TService>>());
            grpcBuilder.Services.Configure(configure);
            return grpcBuilder;
        }

        sealed class Builder(IServiceCollection services) : IGrpcServerBuilder
        {
            public IServiceCollection Services { get; } = services;
        }
    }
}

namespace Grpc.AspNetCore.Server.Internal
{
    /// <summary>Its presence tells that AddGrpc was called.</summary>
    internal sealed class GrpcMarker
    {
        /// <summary>Whether calls of unknown services have their endpoint.</summary>
        public bool UnknownServicesMapped { get; set; }
    }

    internal sealed class ConfigureClock(IServiceProvider services) : IConfigureOptions<GrpcServiceOptions>
    {
        public void Configure(GrpcServiceOptions options)
        {
            if (services.GetService(typeof(TimeProvider)) is TimeProvider clock)
                options.TimeProvider = clock;
        }
    }

    /// <summary>Starts a service's options from those of all services.</summary>
    internal sealed class InheritOptions<TService>(IOptions<GrpcServiceOptions> all) : IConfigureOptions<GrpcServiceOptions<TService>>
        where TService : class
    {
        public void Configure(GrpcServiceOptions<TService> options)
        {
            var from = all.Value;
            options.MaxReceiveMessageSize = from.MaxReceiveMessageSize;
            options.MaxSendMessageSize = from.MaxSendMessageSize;
            options.EnableDetailedErrors = from.EnableDetailedErrors;
            options.ResponseCompressionAlgorithm = from.ResponseCompressionAlgorithm;
            options.ResponseCompressionLevel = from.ResponseCompressionLevel;
            options.IgnoreUnknownServices = from.IgnoreUnknownServices;
            options.TimeProvider = from.TimeProvider;
            options.Interceptors.AddRange(from.Interceptors);
        }
    }
}
